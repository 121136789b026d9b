"""512 short concrete English words, for keys a person can say aloud and for padding. Their order is
part of every session: append nothing, swap nothing.
"""

from __future__ import annotations

_TEXT = """
acorn anchor ankle apple apron arch arrow ash attic awl axe badge bag bait ball banjo bank barge bark barn barrel basil
basin basket bat bath bay beach bead beak beam bean bear beard beaver bed bee beet bell belt bench berry bib bike
birch bird bison blade blouse board boat bolt bone bonnet book boot bottle bow bowl box branch brass bread brick bridge broom
brook brush bucket bud buckle bull bun buoy bus bush butter button cabin cable cactus cage cake calf camel camp can canal
candle cane canoe cap cape car card carp carrot cart castle cat cave cedar cellar cello chain chair chalk cheese cherry chess
chest chick chin chisel chive church cider clam claw clay cliff cloak clock cloth cloud clove clover coal coast coat cobweb cocoa
cod coffee coin colt comb cone copper coral cord cork corn cot cotton couch cow crab cradle crane crate crayon cream crow
crown crumb crust cup curb curtain dagger daisy dam date deck deer den desk dew dice dish ditch dock dog doll dome
donkey door dough dove dragon drain drawer dress drum duck dune dust eagle ear easel egg elbow elder elk elm engine fan
farm faucet fawn feather fence fern ferry fiddle field fig finch finger fir fish flag flame flask flea fleece flint flock floor
flour flower flute foam fog foot forest fork fort fox frame frog frost fudge fur furnace garden garlic gate gem ghost ginger
glass glove glue goat gold goose gourd grain grape grass gravel grove guitar gull gum gutter hail hair ham hammer hand harbor
hare harp hat hawk hay hazel hedge heel helmet hen herb heron hill hinge hive hoe honey hood hook horn horse hose
hotel house hut ice igloo ink inn iris iron island ivory ivy jacket jam jar jaw jeep jelly jetty jewel jug juice
kayak kettle key kiln king kite kitten knee knife knob knot lace ladder ladle lake lamb lamp lance lane lantern lark latch
lava lawn leaf leek leg lemon lens lentil letter lichen lid lily lime linen lion lizard loaf lobster lock locket log loom
lotus lynx mango mantle map maple marble mask mast meadow melon mill mint mirror mitten moat mole monk moon moose mop moss
moth motor mouse mud muffin mug mule museum nail napkin neck needle nest net nettle newt nickel nose nut oak oar oats
ocean olive onion opal orange orchid otter oven owl ox oyster paddle pail paint palace palm pan panda paper parrot paste path
paw pea peach pear pearl pebble pedal pen pencil pepper perch piano pickle pie pig pigeon pillow pilot pin pine pipe pirate
pistol pitcher plank plate plow plum pocket pole pond pony porch pot potato prism prune puddle pump quail quartz quill quilt rabbit
radar radio radish raft rail rain raisin rake ram raven razor reed reef ribbon rice ring river road robe robin rock rod
roof room root rope rose rug ruler saddle sail salad salmon salt sand sandal sauce saw scarf seal seed shark shed sheep
shelf shell ship shirt shoe shovel
"""
WORDS: tuple[str, ...] = tuple(_TEXT.split())
