"""How people say yes and no: whole phrases, by their polarity.

One word may be in both halves only as part of longer phrases ("good", "no good"): the longest phrase counts.
"""

from typing import Literal

from turnkeeper.dialogue.language.tokens import keys

Polarity = Literal["affirmative", "negative"]

_YES = """
si|sí|yes|y|ye|yea|yeah|yeh|yah|ya|yep|yup|yip|yas|yse|yess|yes please|yes sir|yes maam|yes do|yes it is|yes i am
yes we are|yes i do|yes we do|yes that is right|yes thats right|yes thats correct|yes lets do it|yes indeed
yes absolutely|yes of course|aye|uh huh|mhm|mmhm|mm hmm|sure|sure thing|sure do|sure is|for sure|surely|why sure
sure why not|why not|sure lets do it|ok|okay|okey dokey|okie dokie|okey|okie|oki|k|kk|ok then|alright|all right
alrighty|fine|thats fine|fine by me|fine with me|im fine with that|good|thats good|its good|it is good|all good
were good|we are good|good with me|good for me|good to go|sounds good|sound good|sounds great|sounds fine
sounds perfect|sounds lovely|sounds delicious|sounds right|that sounds good|that sounds great|sounds like a plan
looks good|looks great|looks perfect|looks fine|it looks good|that looks good|lgtm|looks good to me|that looks great
this looks good|this looks great|great|thats great|perfect|thats perfect|excellent|awesome|cool|thats cool|nice
lovely|wonderful|fantastic|brilliant|super|amazing|love it|i love it|we love it|i like it|we like it|works
works for me|works for us|that works|that works for me|that will work|thatll work|that will do|thatll do|do it
do that|please do|go|go ahead|go for it|yes go ahead|lets go|lets do it|lets do that|let us do it|make it so|ship it
send it|absolutely|definitely|certainly|totally|of course|ofc|naturally|by all means|with pleasure|gladly|you bet
you got it|correct|thats correct|that is correct|right|thats right|that is right|exactly|precisely|true|thats true
indeed|affirmative|roger|roger that|10 4|agreed|i agree|we agree|deal|its a deal|done|i do|we do|i am|we are|it is
it does|they are|i did|we did|i have|we have|i will|we will|i would|i think so|i guess so|i suppose so|i believe so
think so|guess so|hope so|i hope so|no problem|not a problem|no objections|im in|were in|count me in|count us in
id love to|id love that|id like that|i would love that|i would like that|id be happy to|happy to|please|pls|yes pls
ok please|hell yes|hell yeah|heck yes|fo sho|very good|pretty good|good idea|great idea|thats a good idea|confirmed
i confirm|👍|👌|✅|✔|☑|💯|🆗|🙆
"""

_NO = """
no|n|nope|nah|naw|na|nay|noo|nop|noper|nopes|no no|no thanks|no thank you|no thx|no ty|nope thanks|no way|no sir
no maam|no i dont|no we dont|no it isnt|no its not|no it is not|no thats wrong|no thats not right|no im not
no im good|no were good|no im ok|no im fine|no not really|no not yet|no not now|no not today|no never
no i dont think so|no dont|no do not|no dont do it|no dont do that|not really|not now|not right now|not yet
not today|not tonight|not this time|not this week|not at all|not for me|not for us|not interested|im not interested
not in the mood|not a chance|not a fan|not exactly|not quite|dont|do not|please dont|please do not|dont do it
dont do that|do not do that|better not|id better not|maybe not|probably not|rather not|id rather not
i would rather not|id prefer not|i would prefer not to|id prefer not to|hard no|hard pass|pass|ill pass|i will pass
well pass|never|absolutely not|definitely not|certainly not|of course not|by no means|under no circumstances|i dont
we dont|i do not|we do not|i dont think so|i do not think so|dont think so|i think not|i guess not|guess not
i hope not|i dont want to|i dont want that|i dont want it|we dont want that|i dont like it|i dont like that
we dont like it|i dont agree|i disagree|disagree|wrong|thats wrong|incorrect|thats incorrect|thats not right
that is not right|thats not correct|not correct|not right|it isnt|its not|it is not|it doesnt|im not|i am not
were not|we are not|i didnt|we didnt|i havent|we havent|i wont|we wont|i cant|we cant|negative|no good|no deal
nothing|none|none of them|neither|no need|no need to|not necessary|not needed|no changes|no change|no more
nothing else|nothing more|thats all|dont bother|forget it|dont want to|nein|hell no|heck no|thumbs down|👎|❌|🚫|✖|🙅
nah i'm good|nah we're good|nothing for now|not for now|maybe later|another time|not good|not great|bad|bad idea
terrible|yuck|gross|eww|ew|hate it|i hate it|we hate it|no bueno
"""

_EITHER = """
later|maybe later|another time|next time
i'm good|i'm fine|i'm ok|i'm okay|we're good|we're fine|we're ok|it's ok|it's okay|it's fine|that's ok|that's okay
that's fine|all good|that's all|i'm sure|we're sure|for now|it is|it's not|really
"""


def _phrases(text: str) -> tuple[tuple[str, ...], ...]:
    return tuple(keys(phrase) for phrase in text.replace("\n", "|").split("|") if phrase)


POLARITY: dict[tuple[str, ...], Polarity] = {
    **dict.fromkeys(_phrases(_YES), "affirmative"),
    **dict.fromkeys(_phrases(_NO), "negative"),
}
"""Answer phrases as keys."""

EITHER = frozenset(_phrases(_EITHER))
"""What may follow an answer of either polarity without changing it ("no, that's fine")."""
