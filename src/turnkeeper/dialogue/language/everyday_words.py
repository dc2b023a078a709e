"""English words that people write every day, at least four letters long or likely to stand where a name could.

They are protected: a correctly written word is never taken for a misspelt other one ("plant" is not "plan", "sunday"
is not "monday"), and none of them is a person's name in lower case. Inflected forms need not stand here when adding
"s", "ed", "ing", "er", "est" or "ly" makes them (see `spelling.is_everyday`). The list needs not be complete: what is
missing costs a clarifying question, not a wrong turn, since short words tolerate almost nothing anyway.
"""

_FUNCTION_WORDS = """
about above across after afterwards again against ago ahead ain't alike alone along already also although always am
among an and another any anybody anyhow anymore anyone anything anytime anyway anyways anywhere apart are aren't
around as aside at away back be became because become been before behind being below beneath beside besides best
better between beyond both btw but by can can't cannot could couldn't cuz despite did didn't do does doesn't doing
don't done down dunno during each either else elsewhere enough especially etc even ever every everybody everyone
everything everywhere except far few fewer for forever former from further gimme gonna gotta had hadn't haha has
hasn't have haven't having he he's hello hence her here here's hers herself hey hi him himself his hmm how however i
i'd i'll i'm i've idk if in indeed inside instead into is isn't it it's its itself just kinda last later latter
least lemme less lest let's like likely likewise little lol lots made mainly many may maybe me meanwhile might mine
more moreover most mostly much must my myself nah namely near nearby nearly neither never nevertheless next no
nobody none nope nor not nothing now nowhere nvm of off often oh ok okay omg on once one only onto or other others
otherwise ought our ours ourselves out outside over own per perhaps please pls plus plz quite rather really same
seldom several shall she she's should shouldn't since so some somebody somehow someone something sometime sometimes
somewhat somewhere soon sorta still such than thank thanks that that's the their theirs them themselves then there
there's thereby therefore these they they're thing this those though through throughout thru thus thx till tks to
today together tomorrow tonight too toward towards twice ugh under unless unlike until unto up upon upper us usual
usually very via wanna was wasn't we we'd we'll we're we've well were weren't what what's whatever when whenever
where wherever whether which whichever while who who's whoever whole whom whose why will with within without won't
would wouldn't wow yay yeah yep yes yesterday yet yikes you you'd you'll you're you've your yours yourself
yourselves yup
"""

_NUMBERS_AND_TIMES = """
afternoon anniversary annual april asap august autumn birthday century christmas couple current currently daily dawn
day decade december diwali double dozen dusk earlier early easter eight eighteen eighth eighty eleven era evening
eventually february fifteen fifth fifty finally first firstly five fortnight forty four fourteen fourth friday
future half halloween halves hanukkah holiday hour hundred immediately initially instantly january july june lastly
late lately march midnight million minute moment monday month monthly morning night nine nineteen ninety ninth noon
november nowadays october originally pair passover past present previous previously quarter ramadan recent recently
saturday second september seven seventeen seventh seventy shortly single six sixteen sixth sixty sooner spring
suddenly summer sunday ten tenth thanksgiving third thirteen thirty thousand three thursday triple tuesday twelve
twenty two vacation wednesday week weekday weekend weekly winter year yearly zero
"""

_PEOPLE_AND_PLACES = """
address adult african agent airport american apartment area asian assistant atheist aunt auntie australian avenue
baby bank bar bathroom beach bedroom bestie boss bot bottom boy boyfriend brazilian british brother buddhist buddy
business cafe canadian catholic center centre child children chinese christian church city client clinic club
colleague college company corner country county courier cousin coworker crew customer dad daddy daughter dentist
divorced doctor door downstairs driver dude dutch earth east edge engaged english european family father fiance firm
flat folk folks forest french friend front garage garden german girl girlfriend grandma grandpa granny greek group
guest guy guys hindu home hospital hotel house human husband indian irish italian japanese jewish kid kids kitchen
korean lady lake lane lawyer left location lutheran machine madam man manager market married mate mediterranean
member men mexican middle miss mister mom mommy moon mormon mother mountain mum muslim neighbor neighbour nephew
niece north nurse ocean office operator orthodox owner parent parents park partner party people person place planet
polish portuguese pregnant protestant rear region restaurant right river road robot room roommate russian school
scottish sea shop sibling side sir sister sky son south spanish spot spouse staff star state station store straight
stranger street student subscriber sun swedish teacher team teen teenager thai top town turkish tutor uncle
university upstairs user vietnamese village visitor west widowed wife woman women worker world yard
"""

_FOOD = """
allergic allergy apple apricot artichoke arugula asparagus ate avocado bacon bagel bake baking banana barley basil
basket batter bean beans beef beer beet beets berries berry biscuit blackberry bland blueberry boil bowl box bread
breakfast breast broccoli broccolini broth brownie brunch burger burrito butter buttermilk cabbage cake calorie
calories candy caramel carb carbs carrot carrots cart cashew casserole cauliflower celery celiac cereal chard
cheddar cheese cherry chew chicken chickpea chili chilli chips chocolate chop chops chowder cider cilantro cinnamon
citrus clam clove cocoa coconut cod coeliac coffee collard cook cookie cookies cooking corn crab cracker cream crepe
crisp crunchy crust cucumber cumin cupcake curry custard dairy date delicious dessert diabetic diet dill dinner
dinners dish dishes dough drink drumstick duck dumpling eat eaten eating egg eggplant eggs endive espresso famished
fasting fed feed fennel feta fig fillet fish flank flavor flavour flour fork fresh fries frittata frozen fruit fry
full garlic ginger glaze gluten goat goose gouda grain grains grape grapes gravy greens grill grilled grits
groceries grocery gross guacamole halal halibut ham hangry hazelnut herb herbs honey horseradish hummus hungry ice
icing ingredient ingredients intolerant jam jelly jerky juice juicy kale kebab ketchup keto kiwi knife kosher
lactose lamb lasagna latte leek leftover leftovers lemon lentil lentils lettuce lime lobster loin lunch macaroni
mango maple marinade mayo mayonnaise meal meals meat meatball meatloaf melon menu milk mint miso mousse muffin
mushroom mushrooms mussel mustard mutton nacho noodle noodles nut nutmeg nuts oat oatmeal oats octopus oil okra
olive olives omelet onion onions orange oregano organic oven oyster paella paleo pan pancake papaya paprika parmesan
parsley parsnip pasta paste pastry patty pea peach peanut pear peas pecan peckish pepper peppers pescatarian pesto
pickle pie pilaf pine pineapple pistachio pita pizza plate plum polenta pomegranate popcorn pork porridge portion
pot potato potatoes poultry prawn prawns pretzel prosciutto protein proteins pudding pumpkin quiche quinoa rabbit
radish raisin ramen ranch raspberry ratatouille ravioli raw recipe recipes relish rib ribs rice ricotta ripe risotto
roast roasted rosemary rotten rye saffron sage salad salami salmon salsa salt sandwich sardine sauce sausage savory
scallion scallop scone seafood seaweed seed seeds serving servings sesame shake shallot shellfish shrimp simmer
sirloin smoothie snack soda sorbet soup sour soy soybean spaghetti spice spices spicy spinach sprout sprouts squash
squid stale starved starving steak steam stew stock strawberry stuffed sugar sundae supper sushi sweet syrup taco
tacos tahini tarragon tart tasty tea tempeh tenderloin teriyaki thigh thirsty thyme toast tofu tomato tomatoes
topping tortilla treat trout truffle tuna turkey turmeric turnip vanilla veal veg vegan vegetable vegetables
vegetarian veggie veggies venison vinegar waffle walnut wasabi water watermelon wheat whey wine wings wrap yam yeast
yogurt yolk yum yummy zest zucchini
"""

_ADJECTIVES = """
able absent absolute absurd abusive ace active actual addicted afk afraid aged alive amazed amazing angry annoyed
annoying anxious approximate ashamed asleep ass available average awake aware awesome awesomesauce awful awkward bad
bald bare basic beautiful big bitter black blah blank blessed blind blond blonde blue bold bored boring brave brb
brief bright brilliant broke broken brown bs bullshit bummed busy calm capable careful careless certain cheap
cheerful chill chilly civil classic clean clear clever close clumsy cold colorful comfortable comfy common complete
complex concerned confident confused confusing conscious constant content convenient cool correct cozy cranky crap
crappy crazy creative crowded cruel curious cute daft damn damned damp dangerous dark dead deaf dear decent deep
definite delayed delighted delish dense depressed desperate different difficult digital dirty disabled disappointed
disgusting dizzy dope doubtful drunk dry dull dumb eager easy elegant embarrassed empty endless enormous entire
equal essential evil exact excellent excited exciting exhausted expensive extra extreme fab fabulous fair faithful
fake false familiar famous fancy fantastic fast fat favorite favourite final fine fire fit flexible folded foolish
foreign free frequent friendly frustrated fuck fucking fun funny furious fuzzy fyi garbage general generous gentle
genuine giant glad global gone good goofy gorgeous gr8 gray great green grey grim grumpy gtg guilty handsome handy
happy hard harsh healthy heavy helpful helpless hidden high hilarious holy honest hopeful hopeless horrible hot huge
hurt ideal identical idle iffy ill illegal imo impatient important impossible impressed impressive incorrect
incredible independent individual innocent insane intense interested interesting irrelevant jealous jolly keen kind
known lame large latest lazy leaving legal legend legit light lit live lively local lonely long loose lost loud
lousy lovely low lower lowkey loyal lucky mad main major manual massive mature mean medium meh messy mid mild minor
missing mixed modern moody moved muddy mysterious narrow nasty native natural naughty neat necessary negative
nervous neutral new nice noisy nonsense noob normal numb numerous obvious odd offline old online optional ordinary
organized original outstanding outta overdue overwhelmed painful pale parked particular patient peaceful perfect
permanent personal pink pissed plain playful pleasant pleased polite poor popular positive possible powerful
practical precious precise pretty primary private proper proud psyched public pure purple quick quiet rad random
rapid rare ready real reasonable red regular related relaxed reliable relieved remote responsible rich ridiculous
risky romantic rough round rude sad safe sane sassy satisfied scared scary secret secure selfish sensitive separate
serious severe sharp shiny shit shitty shocked short shut shy sick significant silent silly similar simple sincere
skilled skinny sleepy slight slim slow small smart smooth sober soft solid sore sorry special specific speechless
stable standard steady stiff stoked strange stressed strict strong stuck stunning stupid suitable super sure
surprised sus suspicious swamped sweaty tall tame tbh terrible terrific terrified thick thin thorough thrilled tidy
tight tiny tired total tough toxic trash tricky true typical ugly ultimate unable unaware uncertain undecided unfair
unhappy unique unknown unlikely unlucky unsure unusual unwell upset urgent useful useless vague valid valuable
various vast vital vivid warm weak wealthy weird welcome wet whack white wicked wide wild willing wise wonderful
worried worse worst worth worthy wrong wtf yellow young yuck
"""

_VERBS = """
accept access accompany account accuse achieve act adapt add added adjust admire admit adopt advance advise afford
agree aim alert allow alter announce annoy answer apologize appear apply appoint appreciate approach approve argue
arise arrange arrest arrive ask assign assist assume assure attach attack attempt attend attract avoid awoke ban
bang bark base bathe bear beat beg began begin begun behave believe belong bend bent bet bid bill bind bite bitten
bleed blend bless blew block blow blown board book boom boost border borrow bother bought bounce brake branch break
breathe bring broadcast brought brush build built bump burn burst bury buy buzz call called came camp cancel cancer
capture care carry cast catch caught cause cease celebrate challenge chance change charge chase chat cheat check
cheer choke choose chose chosen claim clap clarify clash classify click climb cling clip coach coast coat code
collapse collect combine come comfort command comment commit communicate compare compete complain compose compute
concern conclude conduct confess confine confirm conform confuse connect consider consist construct consult consume
contact contain contest continue contract contribute control convert convince cope copy cost count cover crack crash
crawl create credit creep criticize cross crush cry cure curl cut damage dance dare deal dealt debate decay deceive
decide declare decline decorate decrease deduct defeat defend define delay delete deliver demand deny depart depend
deposit derive describe deserve design desire destroy detail detect determine develop devote dial die differ dig
dine direct disagree disappear disappoint discount discover discuss dislike dismiss display distribute disturb dive
divide doubt download draft drag drain draw drawn dream dress drew drift drill drive driven drop drove drown drum
dump earn ease edit educate elect emerge employ enable encourage end enforce engage enhance enjoy enroll ensure
enter entertain equip erase escape establish estimate evaluate examine excuse execute exercise exist exit expand
expect experience expire explain explode explore export express extend face fade fail faint fall fallen fasten favor
favour fax fear feel fell felt fetch fight figure file fill film find finish fix flash flee flew flip float flood
flow fold follow fool forbid force forecast forget forgive forgot forgotten form forward fought found frame freak
freeze freezing frown froze fulfill function fund gain gather gave gaze generate get give given glance glow go goes
going got gotten grab grade grant grasp greet grew grieve grind grip grow grown guarantee guard guess guide hack
hand handle hang happen harm hate haul head heal hear heard heat held help hesitate hide hint hire hit hold honor
honour hook hop hope host hug hung hunt hurry identify ignore imagine imply import impress improve include increase
indicate influence inform inject insist inspect inspire install insure intend introduce invent invest investigate
invite involve iron issue jail jog join joke judge jump justify keep kept key kick kill kiss kneel knew knit knock
know label lack laid land lapse laugh launch lay lead leak lean leap learn learnt leave led lend lent let level lick
lie lift limit link list listen load loan lock log look loop lose love lying mail maintain make making manage mark
marry master match matter meant measure meet melt mend mention merge mess met mind mistake mix moan modify monitor
motivate mourn move multiply murder name need neglect negotiate nod note notice notify number obey object observe
obtain occupy occur offend offer oops open operate oppose opt order organise organize overcome owe pack paid paint
pardon participate pass pat pause pay peel perform permit persuade phone pick pinch plan plane plank planned
planning plans plant play plead plot plug point poke poll pop possess post postpone pour practice practise praise
pray preach predict prefer prepare press pretend prevent print proceed process produce program progress promise
promote prompt pronounce propose protect protest prove provide publish pull pump punch punish purchase push put
puzzle qualify question queue quit quote race rain raise ran range rank rate reach react read realise realize rebel
recall receipt receive reckon recognise recognize recommend record recover recruit recycle redeem reduce refer
reflect refresh refund refuse regard register regret reject relate relax release relieve reload rely remain remark
remember remind removal render renew rent repair repeat replace replica reply report represent request require
reschedule rescue research resent reserve reset resist resolve resort respect respond response rest restart restock
restore restrict result resume retain retire retreat retry return reveal reverse review revise revoke reward ride
ring rinse rise risen roam rob rock rode roll rose rot rub ruin rule run rush sack said sail sample satisfy save saw
say scan scare scatter schedule score scrape scratch scream screen screw scrub search seat see seek seem seen select
sell send sense sent serve service set settle sew shade shape share shave shed shelter shift shine ship shock shoot
shot shout show shown shrink shrug sigh sign signal sing sink sip sit skate sketch ski skill skim skin skip skit
slam slap slash sleep slept slice slid slide slip slit smash smell smile smoke snap snatch sneak sneeze sniff snow
soak solve soothe sort sought sound spare spark speak specify speed spell spend spent spill spin spit split spoil
spoke spoken sponsor spoon spray spread squeeze stab stage stain stamp stand stare stark start starve stay steal
steer step stick stir stole stolen stood stop storm strain strap stray stress stretch strike strip stroke struck
struggle study stuff submit subscribe substitute succeed suck suffer suggest suggestion suit sum supply support
suppose surf surprise surround survey survive suspect suspend swam swan swap swat sway swear sweat sweep swell swept
swim swing switch swore swum tag take taken talk tap taste taught teach tear tease tell tempt tend term test text
think thought threaten threw throw thrown tick tickle tie tighten time tip tire told took tore torn toss touch tour
tow trace track trade trail train transfer transform translate transport trap travel tremble trial trick trim trip
trouble trust try tuck tune turn twist type understand understood undo unite unlock unpack unsubscribe update
upgrade upload urge use used vanish vary verify view visit vote wait wake walk wander want warn wash waste watch
wave wear weave weep weigh went wept whip whisper whistle win wink wipe wish woke won wonder wore work worn worry
wound wreck write written wrote yawn yell
"""

_THINGS = """
ability accident action activity advantage advert advice affair agency air alarm album alcohol amount animal ankle
app appetite application appointment arm army arrival art article aspect atmosphere attention attitude audience
author award background badge bag balance ball ballet balloon band basement basis bat bath bathtub battery battle
beard beauty bed bedtime bee behalf belief bell belt bench benefit bike bird birth bit blanket blood boat body bomb
bone bonus booking boot boots boredom bottle boundary boxes brain brakes breath brick bridge bubble bucket budget
bug bunch bundle bus button cab cabin cable cage calendar camera candidate candle cap capital car card career carpet
case cash castle cat category ceiling cell cent chain chair channel chapter character chart chest chief childhood
choice circle clan class clay clerk clock clothes cloud clue coin collar color colour column comedy community
competition complaint computer concept concert condition conference confusion connection context conversation
cookbook copper cord cottage cotton couch countdown coupon courage course court cow creature crime crisis crop crown
culture cup cupboard curtain curve cutover cycle death debit debt decision deck deer degree delivery department
depth desk desktop device diary difference difficulty dime dining dinnertime dinosaur dirt disaster disc disease
disk distance district document dog dollar dot drama drawer drawing drug dust duty ear echo economy editor effect
effort election elevator email emergency emotion enemy energy engine entry envelope environment episode error essay
event evidence exam example exchange excitement exhibit expense expert eye fabric fact factor factory failure faith
fault feather feature fee feedback feeling fence fever field finger fist flag flame flight floor flower flu fly
focus fog foot football freedom freezer fridge fuel furniture game gap gas gate gear gender gift giraffe glass glove
glue goal god gold golf goods government gram grams grandparent grass grief ground growth guitar gun gym habit hair
hall hammer handful hat hay headache health heart heaven heel height hell helmet highway hill history hobby hole
homework hood horse hose hurricane idea image impact impression inch income index industry information injury ink
input insect insurance interest internet interview invoice item jacket jar java jaw jeans jet jewel job joy jury
justice keyboard king knee knowledge ladder lamp language laptop laundry law lawn leader leaf league leather lecture
leg lesson letter library license lid life line lip liquid litter locator logan logic loss lot luck luggage
lunchtime lung magazine magic mall map marriage mask mass material math maximum meaning medal medicine meeting
memory message metal method mice mile minimum mirror mission mode model money monkey mood mosquito motel motor mouse
mouth movie mud mug muscle museum music nail nana napkin nation nature neck needle nerve net network news newspaper
nickel noise nose notebook notion novel occasion officer opinion opportunity opposite option orders organ outcome
output owl pace package packet page pain palace palm panic pants paper parade paragraph parcel part passage
passenger passion password patch path pattern payment peace peak pearl peer pen penalty pencil penny percent period
permission pet phase photo phrase piano pickup picture piece pig pile pill pillow pilot pin pint pipe pirate pit
pity plastic platform plaza pleasure plural pocket poem poet poison pole police policy politics pond pool porch port
position poster pound powder power prayer presence pressure price pricing pride priest prince princess prison prize
problem product profile profit project promotion proof property proposal purpose purse quality quantity queen quest
quilt quiz rack radio rail rat ratio ray razor reality reason reception recess relation relative relief religion
reminder requirement reservation resource rhythm ribbon risk role roof rope route routine row rug ruler sadness sake
sale sales sand savings scale scar scene scheme science scissors scooter scope seal season section security self
sentence sequence series session setting sex shadow shame sheep sheet shelf shell shield shirt shoe shoes shore
shoulder shower silence silk silver site situation size skirt slave sleeve slope slot snake soap society sock socks
sofa soil soldier solution song soul source space spam speaker species speech spider spirit spite sport squad square
squirrel stairs statement statue status steel stomach stone story stove straw stream strength string structure style
subject subscription success suitcase sunset supermarket surface surgery swamp symbol system table tail tale talent
tank tape target task tax taxi technology teeth telephone television temperature tent theme theory thief thread
throat thumb thunder ticket tide tiger tile tin tires title toe toilet token ton tone tongue tool tooth topic towel
tower toy tracking tradition traffic tragedy tray tree trend tribe troop truck trunk truth tub tube tunnel twin tyre
union unit van variety vase vehicle vendor version vet veterinarian victim victory video violence virus voice volume
wage wagon waist wall wallet war warning way weapon weather web website wedding weight wheel width wind window wing
winner wire wood wool word worm wrist youth zone zoo
"""

_LOOK_ALIKES = """
accent acceptance alas alias allay applied approval array ascent assert avoidable behold bias blame bonding brace
bracelet braces bracket brand breed broaden broker camel certainty clone colon compact compass compile compliant
complicate conceal confer configuration conflict confront contend contrast corrupt costume crate cruise cursive
custom customary dancer danger deadline definitive delegate delve demise demote denote deplete dinghy directive
director disjoint dither divine edition ejection elevation evident exception excessive exclude execution expel
exploit extensive foe foul freight goof grand greed hale hiding hind hinder invoke kelp lather lender malls mash
mayor means menus minus mist modal modem modest moist motif mount mourning nest opera operation ordeal orderly
orient panda pane parity parse partial partly patent patrol pawn plaid planes planner plants pleas pledge pore
posture preview prime prior probe prone prong propel provoke prune prying quart quill reap rearrange reassign rebate
rebook reboot rebound recap recite redact reed refine regain regime reheat relay relic relocate remade remainder
remake remedy remorse remount rename repack repaid repaint repast repeal repel repent repute reread rerun reside
resign resize restate retail reuse revamp revert revival revive revolve rewind reword rework rival salve scarce
sconce scrap shin slant smack sneer snip solder spike splint squeal stack stall starch stash static statute stint
stoop strand stripe stub surge swab swarm swoop swop tack tamper taper tardy tending thaw theft thrift tiered timely
toddler toddy toil torso traction trader transit treaty tribal turmoil tweak unbox undone undue unfold unimplemented
unload unpaid usher vapor vector veneer verge vest vine visa vision void wade waive warden wards weary wedge wharf
whine wither wring yearn yield
"""

_PROPER_WORDS = """
amazon america android australia california canada china england europe facebook france germany google india
instagram iphone italy japan london mexico netflix paris spain telegram texas twitter uber whatsapp wifi york
youtube zoom
"""


def _folded(*texts: str) -> frozenset[str]:
    """Return the words as they are compared: without apostrophes."""
    return frozenset(word.replace("'", "") for text in texts for word in text.split())


EVERYDAY = _folded(
    _FUNCTION_WORDS,
    _NUMBERS_AND_TIMES,
    _PEOPLE_AND_PLACES,
    _FOOD,
    _ADJECTIVES,
    _VERBS,
    _THINGS,
    _LOOK_ALIKES,
    _PROPER_WORDS,
)
"""All of them, case-folded and without apostrophes."""
