"""What reports are about and what they are told with. No word here is a number or a person's name;
names are put together from syllables.
"""

from __future__ import annotations


def _list(text: str) -> tuple[str, ...]:
    return tuple(text.split())


THINGS = _list(
    "footbridge orchard harbour windmill lighthouse quarry greenhouse aqueduct bakery ferry "
    "tannery foundry vineyard sawmill granary causeway reservoir pottery dairy brickworks "
    "boathouse apiary theatre tramway observatory canal smithy laundry nursery ropewalk distillery "
    "icehouse archive bathhouse colliery saltworks paddock cannery printworks waterwheel"
)
TITLE_MARKS = _list(
    "Amber Ashen Briar Bronze Cedar Chalk Cobalt Copper Coral Crimson Dusky Ebony Fallow Flint "
    "Frosted Gilded Granite Hazel Heather Hidden Hollow Indigo Ivory Jade Juniper Larch Lilac "
    "Linden Marble Misty Mossy Opal Pewter Quiet Russet Saffron Sable Scarlet Shaded Silent Silver "
    "Slate Sunken Tawny Thistle Umber Velvet Willow"
)
TERM_MARKS = _list(
    "braided nested tilted mirrored floating notched hinged folded tapered woven sliding spiral "
    "vaulted stepped offset layered pulsed drifting split beaded coiled ribbed pivoted staggered "
    "twinned radial skewed blended canted looped"
)
TERM_HEADS = _list(
    "plumb lattice gauge sieve ledger trellis baffle cradle damper flume girdle hopper jig kiln "
    "lever mantle nozzle outrigger pulley quadrant rasp sluice tiller valve winch yoke caliper "
    "gasket spindle truss"
)
GIVEN_NAMES = _list(
    "Orla Tamsin Bram Ilse Corin Maud Petra Anselm Greta Lorcan Wanda Piers Ottilie Rufus Selma "
    "Tobin Ulla Viggo Ysolde Zeno Hester Jorun Kester Leda Milo Nerys Osric Phoebe Quill Runa"
)
FAMILY_STARTS = _list(
    "Bran Cald Dren Ferr Gald Harl Imm Jarr Kell Lorn Marr Nesk Ost Penn Quar Rav Skel Tarn Ulv "
    "Varr Wend Yarr Zell Brock"
)
FAMILY_MIDDLES = _list("a e i o u ae io ea ou ia")
FAMILY_ENDS = _list("beck croft dale fell garth holt ley mond ning rick stow thwaite")
MONTHS = _list(
    "January February March April May June July August September October November December"
)

PARTS = _list(
    "roof gate wall yard floor fence cellar door beam ladder gutter railing bench lamp path shed "
    "window drain stair hoist rope handle hinge plank kettle basket barrel wheel pipe chimney"
)
STATES = _list(
    "dry damp sound worn clean dusty firm loose warm cold quiet tidy cracked painted plain crowded "
    "patched level steep dim bright rusty smooth rough heavy light"
)
PEOPLE = _list(
    "masons clerks carters cooks sweepers painters guards visitors neighbours joiners glaziers "
    "porters gardeners smiths weavers drivers"
)
TIMES = _list("morning evening afternoon winter summer autumn spring night dawn dusk harvest thaw")
WEATHER = _list("rain wind frost fog sunshine snow drizzle hail mist thunder")
ACTS = _list(
    "swept mended painted measured oiled scrubbed emptied moved covered inspected washed stacked "
    "trimmed aired raked"
)
PLACES = _list("market hill river field chapel wharf meadow village station valley forest square")
GOODS = _list(
    "tar flax oak clay wax lime straw nails tallow canvas brass wool hemp sand cork felt soap "
    "chalk tin leather"
)
COLOURS = _list("red blue green yellow purple orange pink brown grey white black golden")
ANIMALS = _list(
    "fox otter heron badger rabbit falcon turtle beaver lizard donkey spider salmon pigeon "
    "hedgehog squirrel walrus"
)
