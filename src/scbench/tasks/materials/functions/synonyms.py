"""The words a description uses instead of the docstring's: opening verbs, and content words.

Each table is text of our own, one line a group of `word=other` pairs, so that it can be read and
mended at a glance.
"""

from __future__ import annotations


def _table(text: str) -> dict[str, str]:
    pairs = (pair.split("=") for line in text.strip().splitlines() for pair in line.split(";"))
    return {word.strip(): other.strip() for word, other in pairs}


# Base form of a verb that opens a docstring = what follows "It".
VERBS = _table("""
return=gives back; get=fetches; set=assigns; create=makes; make=produces; build=puts together; construct=forms; compute=works out
calculate=works out; check=looks at; test=tells; determine=finds out; find=looks up; search=hunts through; look=goes and looks
parse=takes apart; read=takes in; write=puts out; print=shows; display=shows; format=lays out; convert=turns; transform=changes
encode=packs up; decode=unpacks; load=brings in; save=stores away; store=keeps; open=makes ready for use; close=shuts
remove=takes away; delete=does away with; add=puts in; append=puts at the end; insert=places; update=brings up to date
replace=puts something in place of; copy=duplicates; move=shifts; split=breaks up; join=links together; merge=combines
send=passes on; receive=accepts; call=invokes; run=carries out; execute=carries out; start=sets going; stop=brings to an end
wait=holds on; handle=deals with; process=works through; register=enters; raise=signals; yield=hands out; iterate=goes
emit=gives out; generate=produces; initialize=prepares; clear=empties; reset=puts back; apply=puts to use; install=sets up
extract=pulls out; list=enumerates; describe=tells about; show=presents; dump=writes out; quote=puts quotes around; escape=makes safe
compare=holds side by side; validate=makes sure of; verify=makes sure of; ensure=sees to it; connect=links up; bind=ties
try=attempts; use=relies on; select=picks; choose=picks; expand=widens; resolve=works out; push=puts on top; pop=takes off the top
skip=passes over; flush=forces out; lock=takes hold of; acquire=takes hold of; release=lets go of; match=fits; indicate=tells
evaluate=works out; unpack=spreads out; pack=bundles; feed=supplies; configure=sets up; define=lays down; draw=paints; round=evens out
""")

CONTENT = _table("""
string=text; strings=texts; list=series; lists=series; tuple=fixed row; dictionary=lookup table; mapping=lookup table; dict=lookup table
file=document; files=documents; directory=folder; directories=folders; filename=document name; path=location; paths=locations
number=figure; numbers=figures; integer=whole number; integers=whole numbers; float=fractional number; value=content; values=contents
object=thing; objects=things; element=member; elements=members; item=entry; items=entries; index=position; length=extent
size=extent; name=label; names=labels; key=handle; keys=handles; argument=input; arguments=inputs; parameter=input; parameters=inputs
option=setting; options=settings; default=standard; given=supplied; specified=stated; current=present; new=fresh; old=former
first=leading; last=final; next=following; previous=preceding; empty=blank; true=right; false=wrong; error=fault; errors=faults
exception=fault; exceptions=faults; message=note; messages=notes; line=row; lines=rows; character=letter; characters=letters
byte=octet; bytes=octets; buffer=holding area; stream=flow; socket=endpoint; connection=link; server=host; client=caller
request=demand; response=reply; header=heading; headers=headings; body=main part; result=outcome; results=outcomes
function=routine; functions=routines; method=routine; methods=routines; class=kind; classes=kinds; instance=specimen
instances=specimens; module=unit; modules=units; package=bundle; packages=bundles; attribute=property; attributes=properties
variable=placeholder; variables=placeholders; type=sort; types=sorts; code=program text; source=origin; command=order
commands=orders; process=task; thread=strand; threads=strands; lock=latch; queue=waiting line; event=occurrence; events=occurrences
time=moment; date=calendar day; year=calendar year; second=instant; seconds=instants; timeout=time limit; user=person
system=platform; version=edition; pattern=template; expression=formula; regular=rule-based; match=fit; matches=fits
matching=fitting; search=hunt; begin=start; beginning=start; end=close; start=opening; contains=holds; contain=hold
containing=holding; return=give back; returns=gives back; returned=given back; raise=signal; raises=signals; raised=signalled
create=make; creates=makes; created=made; remove=take away; removes=takes away; removed=taken away; delete=erase; deleted=erased
add=put in; adds=puts in; added=put in; update=refresh; updated=refreshed; set=group; sets=groups; get=fetch; read=take in
write=put out; written=put out; print=show; open=ready; close=shut; closed=shut; called=invoked; calls=invokes
use=employ; used=employed; uses=employs; using=by way of; convert=turn; converted=turned; optional=not required
available=at hand; existing=present; found=met with; whether=if; only=solely; each=every single; both=the two
same=identical; different=unlike; large=big; small=little; maximum=greatest; minimum=least; total=overall; sum=overall amount
average=middle figure; mean=middle figure; random=chance; sequence=succession; sequences=successions; iterable=succession
iterator=stepper; iterators=steppers; array=grid; tree=branching structure; node=branch point; nodes=branch points; root=top
child=offspring; children=offspring; parent=ancestor; data=material; information=details; input=incoming material
output=outgoing material; text=wording; word=term; words=terms; quote=inverted comma; quotes=inverted commas; space=gap
whitespace=gaps; newline=row break; prefix=opening part; suffix=closing part; separator=divider; delimiter=divider
encoding=character scheme; format=layout; formatted=laid out; copy=duplicate; copies=duplicates; part=portion; parts=portions
section=division; sections=divisions; field=slot; fields=slots; table=grid; column=vertical row; row=horizontal line
address=whereabouts; port=gate number; host=machine; domain=realm; password=secret word; signal=alert; handler=caretaker
callback=hook; context=setting; environment=surroundings; configuration=setup; state=condition; status=condition
flag=marker; flags=markers; mode=manner; level=grade; frame=call record; stack=pile; memory=storage; cache=store; archive=collection
archives=collections; member=constituent; members=constituents; widget=screen part; window=pane; color=tint; image=picture
point=spot; points=spots; position=place; offset=distance; range=span; limit=bound; otherwise=or else; if=when; possible=feasible
necessary=needed; missing=absent; valid=acceptable; invalid=unacceptable; corresponding=related; associated=linked; appropriate=suitable
specific=particular; internal=inner; external=outer; local=nearby; global=overall; private=hidden; public=shared
""")
SINGULAR_OF_VERB = {f"{verb}s": verb for verb in VERBS} | {
    "applies": "apply",
    "copies": "copy",
    "tries": "try",
    "verifies": "verify",
    "searches": "search",
    "processes": "process",
    "fetches": "get",
    "matches": "match",
    "flushes": "flush",
    "pushes": "push",
}
