"""The grammars of the synthetic corpus, in the notation of `grammar.py`.

No two words of a grammar sound alike in any accent of the corpus, and no noun or adjective begins with a vowel, so
that "a" is always right. A share of the sentences can be put in random word order: a speller that has only learnt the
grammar cannot write those.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator
from typing import Final

from lasasr.corpora.grammar import FEWEST_WORDS, Grammar
from lasasr.errors import LasasrError, UsageError, nearest

_STRUCTURE = """
S = COMMAND *4 | STATEMENTS *3 | STATEMENTP *3 | STATES *2 | STATEP *2 | QUESTION *4 | CLOCK | DIGITS | JOINED *2

COMMAND = POLITE? ACTION WHEN? | don't ACTION
POLITE = please
ACTION = turn SWITCH the DEVICE | ACTP OBJECT WHERE? *2 | put OBJECT SPOT | bring me GOODS
ACTION = go WHERE | stop WHEN | wait WHERE
SWITCH = on | off
DEVICE = THINGLY? DEVICES | DEVICEP
GOODS = DETS THINGLY? THINGS | COUNT THINGLY? THINGP *2

STATEMENT# = SUBJECT# VERB# OBJECT WHERE? WHEN? *3 | SUBJECT# REST# WHERE WHEN? | SUBJECT# MODAL RESTP WHEN
STATEMENT# = SUBJECT# MODAL VERBP OBJECT WHEN? *2 | SUBJECT# NOT# VERBP OBJECT | SUBJECT# NOT# RESTP WHERE
STATE# = THE# BE# WHERE | OWN# THINGLY? THING# BE# SPOT | DESCRIBED#
DESCRIBED# = OWN# THING# BE# THINGLY | OWN# PERSON# BE# MANNER
CLOCK = it is NUMBER o'clock DAY? | it BES MANNER WHERE WHEN?
DIGITS = NUMBER NUMBER NUMBER NUMBER? | the number is NUMBER NUMBER NUMBER? NUMBER?
JOINED = CLAUSE and CLAUSE | CLAUSE because CLAUSE
CLAUSE = SUBJECTS VERBS OBJECT | SUBJECTP VERBP OBJECT | DESCRIBEDS | DESCRIBEDP | SUBJECTS RESTS

QUESTION = where BES THES *2 | where BEP THEP *2 | how many THINGP BEP SPOT *2 | BEP THEP WHERE
QUESTION = WHY does SUBJECTS VERBP OBJECT WHEN? | WHY do SUBJECTP VERBP OBJECT WHERE?
QUESTION = does SUBJECTS VERBP OBJECT WHERE? | do SUBJECTP VERBP OBJECT WHEN? | MODAL SUBJECTS VERBP OBJECT WHEN?
QUESTION = who VERBS OBJECT WHERE? *2 | who RESTS WHERE | BES DESCRIPTION
DESCRIPTION = OWNS THINGS THINGLY | OWNS PERSONS MANNER
WHY = why | when | where

NP# = DET# THINGLY? THING# *2 | DET# MANNER? PERSON#
THE# = OWN# THINGLY? THING# *2 | OWN# MANNER? PERSON#
OBJECT = NPS *3 | NPP *3 | them
SUBJECTS = he | she | DETS MANNER? PERSONS *3
SUBJECTP = they | we | you | DETP MANNER? PERSONP *3
THINGLY = MANNER | LOOK *2
VERB# = ACT# *4 | WISH#
THING# = OBJECT# *6 | DEVICE#
DETS = a *2 | the *2 | my | your | this
DETP = the *2 | my | your | these | COUNT *2
OWNS = the *2 | my | your | this
OWNP = the *2 | my | your | these
NOTS = doesn't
NOTP = don't
BES = is *2 | was | isn't
BEP = are *2 | were | aren't
MODAL = will | can | must
COUNT = two | three | four | five | six | seven | eight | nine | ten
NUMBER = one | COUNT *9

WHERE = in the PLACE *2 | near the PLACE | behind the PLACE | at the PLACE
SPOT = on the OBJECTS | under the OBJECTS | near the OBJECTS | WHERE
WHEN = DAY *2 | now | at NUMBER o'clock | in the morning
"""

_DEMO = """
PERSON~ = doctor/doctors teacher/teachers farmer/farmers child/children
OBJECT~ = window/windows book/books box/boxes key/keys letter/letters horse/horses dog/dogs
DEVICE~ = lamp/lamps
ACT~ = finds/find cleans/clean carries/carry opens/open
WISH~ = wants/want
REST~ = sleeps/sleep waits/wait sings/sing
MANNER = big | small | quiet
LOOK = green | yellow | heavy | broken
PLACE = kitchen | garden | market | station | river
DAY = today | tomorrow | on monday | on friday
"""

_LARGE = """
STATEMENT# = SUBJECT# DID OBJECT WHERE? BEFORE *3 | SUBJECT# VERB# OBJECT HOW | SUBJECT# REST# HOW WHERE
STATEMENTS = NAME VERBS OBJECT WHERE? WHEN? *2 | NAME DID OBJECT BEFORE *2 | OWNS PERSONS who RESTS WHERE DID OBJECT
STATEMENTP = NAME and NAME VERBP OBJECT WHEN? | OWNP PERSONP who RESTP WHERE DID OBJECT
STATE# = NP# BE# COMPARED than THE# *2
QUESTION = did SUBJECTS VERBP OBJECT BEFORE | what did SUBJECTP VERBP BEFORE | which PERSONS DID OBJECT
CLOCK = it is WEATHER in TOWN DAY? *2 | there BES a LOOK OBJECTS WHERE | there BEP COUNT OBJECTP WHERE
COUNT = eleven | twelve | thirty | forty | fifty | sixty | hundred
BEFORE = yesterday | last NIGHT
NIGHT = night | winter | summer | autumn | month
DAY = today *2 | tomorrow *2 | on WEEKDAY *3 | in MONTH *3 | every NIGHT
WEEKDAY = monday | tuesday | wednesday | thursday | friday | saturday | sunday
MONTH = january | february | april | july | august | september | october | november | december
TOWN = london | paris | berlin | madrid | boston | chicago | dublin | moscow | sydney | tokyo
WEATHER = windy | cloudy | rainy | sunny | foggy | stormy | freezing
NAME = anna | david | maria | peter | susan | robert | laura | thomas | helen | martin
HOW = slowly | quickly | carefully | again | together | gently | often | silently

PERSON~ = doctor/doctors teacher/teachers farmer/farmers child/children brother/brothers sister/sisters nurse/nurses
PERSON~ = driver/drivers singer/singers soldier/soldiers student/students lawyer/lawyers pilot/pilots painter/painters
PERSON~ = baker/bakers dancer/dancers manager/managers neighbour/neighbours policeman/policemen king/kings
PERSON~ = cousin/cousins butcher/butchers

OBJECT~ = window/windows book/books box/boxes key/keys letter/letters horse/horses dog/dogs bottle/bottles cup/cups
OBJECT~ = table/tables carpet/carpets blanket/blankets picture/pictures basket/baskets hammer/hammers ladder/ladders
OBJECT~ = bucket/buckets jacket/jackets pencil/pencils newspaper/newspapers ticket/tickets candle/candles
OBJECT~ = guitar/guitars bicycle/bicycles chicken/chickens rabbit/rabbits monkey/monkeys potato/potatoes
OBJECT~ = tomato/tomatoes banana/bananas sandwich/sandwiches cake/cakes shirt/shirts spoon/spoons knife/knives
OBJECT~ = mirror/mirrors parcel/parcels suitcase/suitcases wheel/wheels stone/stones
DEVICE~ = lamp/lamps radio/radios camera/cameras computer/computers heater/heaters machine/machines

ACT~ = finds/find cleans/clean carries/carry opens/open brings/bring takes/take paints/paint repairs/repair
ACT~ = washes/wash watches/watch follows/follow touches/touch collects/collect protects/protect drops/drop
ACT~ = pushes/push pulls/pull borrows/borrow remembers/remember forgets/forget
WISH~ = wants/want likes/like loves/love understands/understand
REST~ = sleeps/sleep waits/wait sings/sing dances/dance laughs/laugh works/work jumps/jump whispers/whisper
DID = found | cleaned | carried | opened | brought | took | painted | repaired | washed | watched | followed | touched
DID = collected | protected | dropped | pushed | pulled | borrowed | remembered | forgot | wanted | liked | loved | lost

MANNER = big | small | quiet | tired | happy | famous | strange | beautiful | dangerous | lucky | noisy | patient
LOOK = green | yellow | heavy | broken | purple | golden | silver | wooden | plastic | dirty | cheap | narrow | square
LOOK = round | simple | modern | pretty | wet
COMPARED = bigger | smaller | heavier | cheaper | stronger | younger | faster | better
PLACE = kitchen | garden | market | station | river | bathroom | church | library | hospital | museum | bridge | forest
PLACE = mountain | village | harbour | factory | restaurant | theatre | castle | desert | valley | school | bank | farm
"""

_GRAMMARS: Final = {"demo": _STRUCTURE + _DEMO, "large": _STRUCTURE + _LARGE}
_MOST_REJECTIONS = 1000  # in a row, before a grammar counts as having no further sentence


def load_grammar(name: str) -> Grammar:
    """The grammar `demo` (about 120 words) or `large` (more than 400).

    Raises:
        UsageError: there is none of this name.
    """
    if name not in _GRAMMARS:
        raise UsageError(f"corpus.grammar={name} is unknown; {nearest(name, _GRAMMARS)}")
    return Grammar.parse(_GRAMMARS[name])


def sentences(
    source: Grammar,
    rng: random.Random,
    random_order_share: float,
    excluded: Collection[str],
    repeat: bool,
    fewest_words: int = FEWEST_WORDS,
) -> Iterator[str]:
    """Endless sentences that are not in `excluded`, each at most once unless `repeat`.

    Args:
        random_order_share: share in [0, 1] of sentences whose words come in random order.
        fewest_words: of a sentence, at most what the longest sentences have.

    Raises:
        LasasrError: the grammar has no further sentence.
    """
    taken = set(excluded)
    rejected = 0
    while rejected < _MOST_REJECTIONS:
        words = source.sentence(rng, fewest_words)
        if rng.random() < random_order_share:
            rng.shuffle(words)
        sentence = " ".join(words)
        rejected += 1
        if sentence not in taken:
            rejected = 0
            if not repeat:
                taken.add(sentence)
            yield sentence
    raise LasasrError("the grammar has too few sentences: ask for fewer utterances or for corpus.grammar=large")
