# ruff: noqa: E501 -- a food is one line of the table
"""The table of foods; `ingredients.py` says what its columns mean and where the numbers come from.

A name that starts with "~" stands for many kinds: the kind found in the cart is shown instead of it.
"""

FOODS = """
# name | family | texture | protein g/100 g | serving g | each g | measure[/g] | keeps days | contains | other names
salmon | fish | fillet | 20.4 | 170 | 170 | oz | 2 | | king salmon, sockeye, coho
smoked salmon | fish | topping | 18.3 | 90 | 113 | oz | 7 | | lox, gravlax
~trout | fish | fillet | 20.5 | 170 | 170 | oz | 2 | | arctic char, steelhead
~white fish | fish | fillet | 18.0 | 170 | 170 | oz | 2 | | cod, halibut, rockfish, tilapia, sole, haddock, sea bass, snapper, black cod, catfish, pollock, mahi mahi, hake
~tuna | fish | fillet | 24.0 | 160 | 170 | oz | 2 | | tuna steak, ahi, albacore, swordfish
shrimp | shellfish | shell | 20.1 | 160 | 340 | oz | 2 | | prawns, gulf shrimp
scallops | shellfish | shell | 14.0 | 180 | 340 | oz | 2 | | sea scallops
crab | shellfish | shell | 18.0 | 120 | 227 | oz | 2 | | crab meat, dungeness
lobster | shellfish | shell | 16.5 | 150 | 200 | oz | 2 | |
~mussels | shellfish | shell | 11.9 | 350 | 900 | oz | 2 | | clams, oysters
chicken breast | poultry | fillet | 22.5 | 150 | 220 | oz | 3 | | boneless chicken breast, chicken cutlets, chicken tenders
~chicken thighs | poultry | fillet | 19.7 | 165 | 125 | oz | 3 | | chicken legs, chicken drumsticks, chicken
whole chicken | poultry | piece | 12.6 | 350 | 1800 | oz | 3 | | whole roasting chicken, roaster
~turkey breast | poultry | fillet | 23.7 | 150 | 450 | oz | 3 | | turkey cutlets, turkey
duck breast | poultry | fillet | 19.9 | 170 | 200 | oz | 3 | | duck
ground chicken | poultry | ground | 17.4 | 160 | 454 | oz | 2 | | chicken mince
ground turkey | poultry | ground | 18.7 | 160 | 454 | oz | 2 | | turkey mince
chicken sausage | poultry | sausage | 16.0 | 150 | 85 | oz | 5 | | chicken apple sausage, turkey sausage
~pork chops | pork | fillet | 20.7 | 165 | 180 | oz | 4 | | pork loin chops, pork cutlets, pork
~pork tenderloin | pork | fillet | 21.0 | 155 | 450 | oz | 4 | | pork loin
~pork shoulder | pork | piece | 17.6 | 180 | 1100 | oz | 4 | | pork butt, pork belly, pork stew meat
ground pork | pork | ground | 16.9 | 165 | 454 | oz | 2 | | pork mince
~sausage | pork | sausage | 14.3 | 150 | 100 | oz | 5 | | Italian sausage, pork sausage, bratwurst, chorizo, andouille
~bacon | pork | topping | 12.6 | 40 | 340 | oz | 10 | | pancetta, guanciale
~ham | pork | topping | 18.0 | 100 | 227 | oz | 7 | | prosciutto
ground beef | beef | ground | 18.6 | 160 | 454 | oz | 2 | | beef mince, hamburger meat
~steak | beef | fillet | 21.5 | 160 | 280 | oz | 4 | | beef steak, sirloin, flank steak, skirt steak, ribeye, flat iron steak, beef
~stew beef | beef | piece | 20.5 | 165 | 454 | oz | 4 | | beef stew meat, chuck roast, beef chuck, short ribs, brisket
ground lamb | lamb | ground | 16.6 | 165 | 454 | oz | 2 | | lamb mince
~lamb chops | lamb | fillet | 18.5 | 180 | 110 | oz | 4 | | rack of lamb, lamb
eggs | egg | egg | 12.6 | 150 | 50 | whole | 21 | | pasture raised eggs, egg
tofu | soy | block | 14.0 | 200 | 400 | oz | 10 | | firm tofu, extra firm tofu
tempeh | soy | block | 20.3 | 125 | 227 | oz | 10 | gluten |
seitan | wheat protein | block | 21.0 | 125 | 227 | oz | 10 | soy |
edamame | soy | tender | 11.9 | 120 | 340 | oz | 14 | | shelled edamame
chickpeas | legume | bean | 7.5 | 200 | 250 | can/250 | 365 | | garbanzo beans, garbanzos, chick peas
~black beans | legume | bean | 7.5 | 200 | 250 | can/250 | 365 | | kidney beans, pinto beans
~white beans | legume | bean | 7.5 | 200 | 250 | can/250 | 365 | | cannellini beans, cannellini, navy beans, butter beans
lentils | legume | bean | 24.6 | 80 | 454 | cup/195 | 365 | | red lentils, green lentils, black lentils
halloumi | cheese | block | 22.0 | 115 | 225 | oz | 30 | rennet | halloumi cheese, grilling cheese
paneer | cheese | block | 19.0 | 125 | 227 | oz | 14 | | paneer cheese
~mozzarella | cheese | topping | 22.2 | 100 | 227 | oz | 10 | rennet | fresh mozzarella, burrata
ricotta | cheese | topping | 11.3 | 125 | 425 | oz | 7 | |
feta | cheese | topping | 14.2 | 40 | 200 | oz | 21 | | feta cheese
parmesan | cheese | topping | 35.0 | 20 | 200 | oz | 60 | rennet | parmigiano, pecorino
~cheddar | cheese | topping | 24.0 | 30 | 227 | oz | 30 | rennet | jack cheese, pepper jack, gruyere
goat cheese | cheese | topping | 18.5 | 40 | 113 | oz | 14 | | chevre
kale | greens | leafy | 2.9 | 80 | 200 | bunch | 5 | | lacinato kale, curly kale, dino kale, cavolo nero
chard | greens | leafy | 1.8 | 90 | 250 | bunch | 4 | | rainbow chard, swiss chard
spinach | greens | leafy | 2.9 | 90 | 280 | oz | 3 | | baby spinach, bloomsdale spinach
collards | greens | leafy | 3.0 | 90 | 250 | bunch | 6 | | collard greens
~mustard greens | greens | leafy | 2.9 | 80 | 220 | bunch | 4 | | turnip greens, beet greens, dandelion greens
bok choy | greens | leafy | 1.5 | 120 | 250 | head | 4 | | pak choi, baby bok choy, tatsoi
cabbage | greens | leafy | 1.3 | 110 | 900 | head | 14 | | napa cabbage, savoy cabbage, red cabbage, green cabbage
~lettuce | greens | fresh | 1.4 | 80 | 350 | head | 4 | | romaine, little gem, butter lettuce, leaf lettuce
~arugula | greens | fresh | 2.6 | 50 | 140 | oz | 3 | | rocket, watercress
mixed greens | greens | fresh | 1.8 | 60 | 140 | oz | 3 | | salad mix, spring mix, mesclun, salad greens
~broccoli | vegetable | tender | 2.8 | 120 | 350 | head | 5 | | broccolini, broccoli rabe, romanesco
cauliflower | vegetable | firm | 1.9 | 140 | 700 | head | 7 | |
brussels sprouts | vegetable | firm | 3.4 | 110 | 450 | oz | 7 | | brussel sprouts
eggplant | vegetable | firm | 1.0 | 150 | 400 | whole | 5 | | aubergine, japanese eggplant, globe eggplant
tomatoes | vegetable | fresh | 0.9 | 120 | 150 | whole | 6 | | heirloom tomatoes, roma tomatoes
cherry tomatoes | vegetable | fresh | 0.9 | 90 | 300 | oz | 6 | | grape tomatoes, sungold tomatoes
bell peppers | vegetable | tender | 1.0 | 90 | 150 | whole | 8 | | sweet peppers, red pepper, green pepper, yellow pepper, orange pepper, red bell peppers, capsicum, bell pepper, pepper
~zucchini | squash | tender | 1.2 | 130 | 220 | whole | 5 | | courgette, summer squash, yellow squash, pattypan
~winter squash | squash | firm | 1.0 | 160 | 900 | oz | 30 | | butternut squash, delicata squash, acorn squash, kabocha squash, butternut, delicata, kabocha, pumpkin, squash
carrots | root | firm | 0.9 | 80 | 70 | whole | 21 | | rainbow carrots, nantes carrots
potatoes | root | base | 2.0 | 220 | 170 | oz | 30 | | fingerling potatoes, yukon gold potatoes, red potatoes, russet potatoes, new potatoes
sweet potatoes | root | base | 1.6 | 200 | 220 | whole | 30 | | yams, garnet yams, sweet potato
beets | root | firm | 1.6 | 110 | 130 | whole | 14 | | beetroot, golden beets, chioggia beets
~radishes | root | fresh | 0.7 | 40 | 200 | bunch | 7 | | daikon, watermelon radish
~turnips | root | firm | 0.9 | 100 | 120 | whole | 14 | | rutabaga, celeriac, kohlrabi
parsnips | root | firm | 1.2 | 100 | 120 | whole | 14 | | parsnip
leeks | allium | firm | 1.5 | 90 | 200 | whole | 10 | |
green onions | allium | aromatic | 1.8 | 15 | 100 | bunch | 6 | | scallions, spring onions
shallots | allium | aromatic | 2.5 | 20 | 30 | whole | 30 | |
~hot peppers | vegetable | aromatic | 0.9 | 10 | 15 | whole | 8 | | jalapenos, chiles, serrano peppers, jalapeno
onions | allium | aromatic | 1.1 | 50 | 150 | whole | 30 | | yellow onions, red onions, sweet onions, white onions
garlic | allium | aromatic | 6.4 | 4 | 40 | clove/4 | 60 | | garlic heads, green garlic
ginger | flavour | aromatic | 1.8 | 5 | 60 | tbsp/7 | 21 | | ginger root
fennel | vegetable | firm | 1.2 | 100 | 250 | head | 8 | | fennel bulb
~mushrooms | mushroom | tender | 2.5 | 90 | 227 | oz | 5 | | shiitake mushrooms, cremini mushrooms, oyster mushrooms, maitake mushrooms, button mushrooms, portobello mushrooms, king trumpet mushrooms, wild mushrooms, shiitake, cremini, champignons, portobellos, maitake
green beans | vegetable | tender | 1.8 | 100 | 340 | oz | 5 | | string beans, haricots verts, french beans, romano beans
snap peas | vegetable | tender | 2.8 | 90 | 340 | oz | 4 | | sugar snap peas, snow peas
peas | vegetable | tender | 5.4 | 80 | 340 | oz | 4 | | english peas, green peas, shelling peas
corn | vegetable | tender | 3.3 | 100 | 130 | ear | 4 | | sweet corn, corn on the cob
asparagus | vegetable | tender | 2.2 | 110 | 400 | bunch | 4 | |
okra | vegetable | tender | 1.9 | 100 | 340 | oz | 4 | |
celery | vegetable | firm | 0.7 | 50 | 450 | oz | 14 | |
cucumber | vegetable | fresh | 0.7 | 100 | 280 | whole | 6 | | persian cucumbers, english cucumber, armenian cucumber
avocados | fruit | fresh | 2.0 | 70 | 170 | whole | 4 | | hass avocado
~apples | fruit | fruit | 0.3 | 90 | 180 | whole | 30 | | Fuji apples, Gala apples, Honeycrisp apples
~oranges | fruit | fruit | 0.9 | 130 | 180 | whole | 14 | | mandarins, tangerines, clementines, grapefruit
lemons | fruit | acid | 1.1 | 25 | 80 | whole | 21 | | lemon, meyer lemons
limes | fruit | acid | 0.7 | 20 | 60 | whole | 21 | | lime
pears | fruit | fruit | 0.4 | 150 | 180 | whole | 6 | |
bananas | fruit | fruit | 1.1 | 120 | 120 | whole | 5 | |
~strawberries | fruit | fruit | 0.7 | 100 | 400 | oz | 3 | | blueberries, raspberries, blackberries, berries
~peaches | fruit | fruit | 0.9 | 150 | 150 | whole | 5 | | nectarines, plums, apricots, cherries, grapes, melon, watermelon, kiwi, mango, persimmons, pomegranate, figs
cilantro | herb | herb | 2.1 | 5 | 60 | handful/8 | 6 | | fresh coriander, coriander
parsley | herb | herb | 3.0 | 5 | 60 | handful/8 | 7 | | italian parsley
basil | herb | herb | 3.2 | 5 | 60 | handful/8 | 3 | | thai basil
mint | herb | herb | 3.8 | 4 | 60 | handful/8 | 6 | |
dill | herb | herb | 3.5 | 4 | 60 | handful/8 | 6 | |
~rosemary | herb | herb | 3.3 | 2 | 30 | sprig/2 | 14 | | sage
quinoa | grain | base | 14.1 | 65 | 454 | cup/170 | 365 | |
rice | grain | base | 7.1 | 65 | 907 | cup/185 | 365 | | jasmine rice, brown rice, basmati rice, sushi rice, wild rice
~farro | grain | base | 13.5 | 65 | 454 | cup/180 | 365 | gluten | barley, wheat berries, freekeh, bulgur
couscous | grain | base | 12.8 | 60 | 454 | cup/175 | 365 | gluten |
~pasta | grain | base | 13.0 | 85 | 454 | oz | 365 | gluten | spaghetti, penne, rigatoni, orzo, linguine, macaroni, fusilli
~fresh pasta | grain | base | 11.0 | 110 | 340 | oz | 4 | gluten, egg | fresh fettuccine, fettuccine, pappardelle, tagliatelle, egg noodles
gluten-free pasta | grain | base | 7.5 | 85 | 340 | oz | 365 | | gluten free penne, gluten free spaghetti, rice pasta, chickpea pasta
rice noodles | grain | base | 6.0 | 75 | 227 | oz | 365 | | glass noodles, rice vermicelli
~ramen noodles | grain | base | 10.0 | 85 | 340 | oz | 30 | gluten, egg | udon, udon noodles, soba, soba noodles, ramen
~polenta | grain | base | 8.1 | 55 | 454 | cup/160 | 365 | | cornmeal, grits
corn tortillas | grain | base | 5.7 | 78 | 312 | whole/26 | 14 | | corn tortilla
flour tortillas | grain | base | 8.2 | 98 | 392 | whole/49 | 14 | gluten | tortillas, wraps
~bread | grain | base | 9.0 | 70 | 600 | oz | 5 | gluten, dairy | sourdough, baguette, ciabatta, naan, pita, levain, buns
breadcrumbs | grain | sauce | 13.0 | 15 | 425 | tbsp/7 | 180 | gluten, dairy | panko
yogurt | dairy | topping | 5.0 | 40 | 500 | tbsp/15 | 14 | | greek yogurt, plain yogurt
butter | dairy | fat | 0.9 | 10 | 227 | tbsp/14 | 60 | | cultured butter
~milk | dairy | fat | 3.3 | 60 | 950 | cup/240 | 7 | | whole milk, cream, heavy cream, half and half, buttermilk, creme fraiche, sour cream
~plant milk | flavour | fat | 1.0 | 60 | 950 | cup/240 | 10 | nuts, soy, gluten | almond milk, oat milk, soy milk, cashew milk, hemp milk
~almonds | nut | topping | 21.2 | 15 | 227 | oz | 180 | | almond, walnuts, walnut, cashews, pecans, hazelnuts, pistachios, pine nuts, macadamia, nuts, almond butter
~peanuts | nut | topping | 25.8 | 15 | 227 | oz | 180 | | peanut butter
tahini | flavour | topping | 17.0 | 15 | 340 | tbsp/15 | 180 | sesame |
sesame seeds | flavour | topping | 17.7 | 5 | 200 | tbsp/9 | 180 | sesame | sesame
~pumpkin seeds | flavour | topping | 30.0 | 10 | 227 | tbsp/9 | 180 | | pepitas, sunflower seeds
~olives | flavour | topping | 1.0 | 20 | 200 | oz | 30 | | kalamata olives, castelvetrano olives
capers | flavour | topping | 2.4 | 8 | 100 | tbsp/9 | 180 | |
pesto | flavour | sauce | 5.0 | 30 | 200 | tbsp/15 | 7 | dairy, rennet, nuts | basil pesto
hummus | flavour | topping | 7.9 | 40 | 283 | tbsp/15 | 7 | sesame |
salsa | flavour | sauce | 1.5 | 40 | 450 | tbsp/16 | 10 | | salsa verde, pico de gallo
kimchi | flavour | topping | 1.7 | 40 | 400 | oz | 60 | fish, shellfish, gluten, soy |
miso | flavour | sauce | 12.8 | 12 | 400 | tbsp/17 | 180 | soy, gluten | miso paste
olive oil | flavour | fat | 0.0 | 10 | 500 | tbsp/14 | 365 | | extra virgin olive oil
~neutral oil | flavour | fat | 0.0 | 10 | 500 | tbsp/14 | 365 | | canola oil, avocado oil, sunflower oil, grapeseed oil, coconut oil
sesame oil | flavour | sauce | 0.0 | 3 | 250 | tsp/4.5 | 180 | sesame | toasted sesame oil
~vinegar | flavour | acid | 0.0 | 8 | 500 | tbsp/15 | 365 | | apple cider vinegar, red wine vinegar, rice vinegar, balsamic vinegar, balsamic
soy sauce | flavour | sauce | 8.0 | 15 | 300 | tbsp/16 | 365 | soy, gluten | shoyu
tamari | flavour | sauce | 10.0 | 15 | 300 | tbsp/16 | 365 | soy | gluten free soy sauce
mustard | flavour | sauce | 4.0 | 8 | 200 | tbsp/16 | 365 | | dijon, dijon mustard, stoneground mustard
honey | flavour | sauce | 0.3 | 7 | 340 | tbsp/21 | 365 | honey |
~sugar | flavour | sauce | 0.0 | 4 | 500 | tsp/4 | 365 | | brown sugar, cane sugar, maple syrup, syrup
stock | flavour | liquid | 0.3 | 180 | 950 | cup/240 | 365 | | vegetable stock, vegetable broth
~meat stock | flavour | liquid | 2.0 | 180 | 950 | cup/240 | 10 | meat, red meat | chicken stock, chicken broth, beef broth, beef stock, bone broth, chicken bone broth, broth
~canned tomatoes | flavour | liquid | 0.8 | 130 | 400 | can/400 | 365 | | crushed tomatoes, diced tomatoes, tomato sauce, tomato paste, passata, marinara, whole peeled tomatoes
coconut milk | flavour | liquid | 2.0 | 100 | 400 | can/400 | 365 | | coconut cream
fish sauce | flavour | sauce | 5.0 | 8 | 200 | tbsp/18 | 365 | fish | anchovy, anchovies
cornstarch | flavour | sauce | 0.0 | 5 | 450 | tbsp/8 | 365 | | potato starch
cumin | flavour | spice | 0.0 | 1.2 | 50 | tsp/2.1 | 365 | | ground cumin
smoked paprika | flavour | spice | 0.0 | 1.2 | 50 | tsp/2.3 | 365 | | paprika
curry powder | flavour | spice | 0.0 | 2.5 | 50 | tsp/2 | 365 | | garam masala
chili flakes | flavour | spice | 0.0 | 0.4 | 50 | tsp/1.8 | 365 | | red pepper flakes
~black pepper | flavour | spice | 0.0 | 1 | 50 | tsp/2.3 | 365 | | peppercorns, white pepper
chili powder | flavour | spice | 0.0 | 2 | 50 | tsp/2.7 | 365 | |
oregano | flavour | spice | 0.0 | 0.5 | 30 | tsp/1 | 365 | | dried oregano
thyme | flavour | spice | 0.0 | 0.5 | 30 | tsp/1 | 365 | | fresh thyme, dried thyme
cinnamon | flavour | spice | 0.0 | 0.5 | 50 | tsp/2.6 | 365 | |
turmeric | flavour | spice | 0.0 | 0.6 | 50 | tsp/3 | 365 | |
"""
