"""Closed classes of English words whose members exclude each other: general language, no values of any tool."""

from __future__ import annotations


def _words(*lines: str) -> frozenset[str]:
    return frozenset(" ".join(lines).split())


# Each line is one class; "|" parts its members, and the words of one member say the same.
_CLASSES = (
    # measures
    (
        "kilometer km kilometre kms | mile mi | meter metre | centimeter cm centimetre | millimeter mm millimetre"
        " | inch | foot feet ft | yard yd | gram gramme | kilogram kilo kg kilogramme | milligram mg milligramme"
        " | microgram mcg | ounce oz | pound lb lbs | stone | ton | tonne | liter litre | milliliter ml millilitre"
        " | gallon gal | pint | quart | acre | hectare | watt | kilowatt kw | megawatt | joule | calorie | kilobyte kb"
        " | megabyte mb | gigabyte gb | terabyte tb | byte | bit | volt | ampere amp | hertz | knot"
    ),
    "celsius centigrade | fahrenheit | kelvin",
    "metric | imperial | short | nautical",
    "second sec | minute min | hour hr | day | week | month | quarter | year | decade | century",
    "hourly | daily | nightly | weekly | fortnightly | monthly | quarterly | yearly annual annually",
    (
        "cup | bag | bottle | tin | box | pack packet | jar | crate | pallet | carton | glass | spoon tablespoon tbsp"
        " | teaspoon tsp | bowl | slice | loaf | pair | tablet pill | drop | barrel"
    ),
    (
        "dollar usd | euro eur | pound gbp sterling | yen jpy | yuan renminbi cny | krona kronor sek | krone kroner nok"
        " | rupee inr | peso | franc chf | won krw | ruble rouble | lira | real brl | rand | zloty"
        " | cent | penny pence | dime"
    ),
    # quantities
    "once | twice | thrice",
    "single | double | triple | quadruple",
    "half | third | quarter | fifth | whole full entire",
    "first | second | third | fourth | fifth | sixth | seventh | eighth | ninth | tenth | eleventh | twelfth | last",
    (
        "thirteen | fourteen | fifteen | sixteen | seventeen | eighteen | nineteen | twenty | thirty | forty | fifty"
        " | sixty | seventy | eighty | ninety"
    ),
    "twenties | thirties | forties | fifties | sixties | seventies | eighties | nineties",
    "dozen | hundred | thousand | million | billion | trillion",
    (
        "all every each everyone everybody everything | some several somebody someone | few | many | most"
        " | none no nobody nothing neither | both | either | one | half"
    ),
    "more | fewer less",
    "least | most",
    "nearly almost | hardly barely scarcely",
    "only | but except",
    "exactly | about approximately roughly around",
    # time
    "morning | noon | afternoon | evening | night | midnight",
    "spring | summer | autumn fall | winter",
    "weekday | weekend",
    "sat | sun | mon | tue | wed | thu | fri",
    "before | after",
    "early | late",
    "past | to",
    "by | to | from",
    "sunrise dawn | sunset dusk",
    "now | later",
    "today | tomorrow | yesterday",
    "current | previous | next | past | future",
    # place and direction
    "north northern | south southern | east eastern | west western",
    "clockwise | counterclockwise anticlockwise",
    "forward forwards | backward backwards",
    "left | right",
    "inside indoors indoor | outside outdoors outdoor",
    "top | middle | bottom",
    "front | back rear",
    "avenue ave | street st | road rd | lane | boulevard blvd | drive | square | court",
    # looks
    (
        "red | orange | yellow | green | blue | purple violet | pink | brown | black | white | gray grey | beige"
        " | golden gold | silver | turquoise"
    ),
    "light pale bright | dark deep",
    "matte matt | glossy | satin",
    "small little | medium | large big | tiny | huge",
    "hot | warm | cold cool | iced",
    # people
    "man men | woman women | boy | girl | child children | adult",
    "wife | husband | son | daughter | mother | father | brother | sister | uncle | aunt",
    "junior jr | senior sr",
    "mr | mrs ms | dr",
    "winner | loser",
    "employee | employer",
    "landlord | tenant",
    "client | server",
    "teacher | student",
    # kinds
    "major | minor",
    "sharp | flat",
    "stable | beta | alpha | nightly",
    "wired | wireless",
    "aisle | window",
    "bus | train | plane flight | car | ferry boat | bike bicycle | tram | taxi",
    "breakfast | lunch | dinner",
    "long | short",
    "simplified | traditional",
    "mandatory compulsory required | optional",
    "domestic | international",
    "manual | automatic",
    "temporary | permanent",
    "digital | analog analogue",
    "beef | chicken | pork | lamb | fish | vegetable | turkey | shrimp | tofu",
    "vegan | vegetarian | kosher | halal",
    "windows | mac macos | linux | android | ios",
    "encrypted | plain",
    "raw | cooked | fried | baked | grilled | boiled | roasted",
)

_OPPOSED = (
    "accept | refuse reject decline", "add | drop", "advance | postpone", "agree | refuse disagree", "alive | dead",
    "allow permit grant authorize | forbid ban prohibit deny revoke block", "amateur | professional",
    "appoint | dismiss", "approve | decline", "arrive | leave depart", "ascend | descend", "attach | detach",
    "attack | defend", "begin start | end finish stop", "best | worst", "better | worse", "borrow | lend",
    "broaden | narrow", "build | demolish", "buy purchase | sell", "cheap | expensive", "clean | dirty",
    "commit | revert", "compress | extract", "confirm | cancel", "create make | destroy delete erase",
    "deep | shallow", "deploy | rollback", "dry | wet", "earlier | later", "easy | hard difficult", "empty | full",
    "expand | shrink", "extend lengthen | shorten reduce", "fail | succeed", "fast | slow", "faster | slower",
    "find | lose", "freeze | thaw", "gain | lose", "give | take", "guilty | innocent", "happy | sad unhappy",
    "heat | cool", "hide | show", "hire | fire", "import | export", "income | expense",
    "increase raise | reduce decrease lower cut", "join | leave", "keep retain | discard delete remove",
    "load | unload", "longer | shorter", "loud | quiet", "love | hate", "maximize | minimize", "merge | split",
    "mount | unmount", "mute | unmute", "new | old", "newest | oldest", "open | solved resolved closed",
    "pass | fail", "pause | resume", "praise | blame", "profit | loss", "promote | demote", "promote | roll",
    "protect | expose", "pull | push", "read | write", "remember | forget", "restore | archive delete", "rich | poor",
    "rise | fall", "save | delete", "strong | weak", "summon | dismiss", "tall | short", "thick | thin",
    "tight | loose", "true | false", "up | down", "upstairs | downstairs", "upload | download", "vacant | occupied",
    "victory | defeat", "warmer | cooler colder", "widen | narrow", "win | lose", "with | without", "wide | narrow",
    "young | old", "low | high", "cheaper cheapest | dearer", "cheapest | expensive",
)  # fmt: skip

OPPOSED_PREFIXES = (
    ("up", "down"), ("en", "de"), ("hyper", "hypo"), ("in", "out"), ("im", "ex"), ("over", "under"), ("pre", "post"),
    ("inter", "intra"), ("macro", "micro"), ("maxi", "mini"), ("sub", "super"), ("pro", "anti"), ("any", "no"),
    ("some", "no"), ("every", "no"), ("milli", "micro"), ("kilo", "mega"), ("centi", "milli"), ("mono", "poly"),
    ("uni", "bi"),
)  # fmt: skip
"""Beginnings that turn the rest of a word into its contrary or into another measure."""

OTHER_PREFIXES = (
    "un",
    "in",
    "im",
    "il",
    "ir",
    "non",
    "dis",
    "anti",
    "counter",
    "ex",
    "pre",
    "post",
    "vice",
    "mis",
    "a",
)
"""Beginnings that make another thing of the word behind them."""

OPPOSED_SUFFIXES = (("ful", "less"), ("er", "ee"), ("or", "ee"))
"""Endings of which one says the contrary of the other, or names the other party."""

ALTERING = _words(
    "acting almost assistant barely counterfeit deputy dummy ex except fail fake former free half hardly",
    "honorary mock nearly non opposing other rival scarcely semi vice",
)
"""Words that make another thing of what they stand beside, even where nothing else differs."""

FUNCTION = _words(
    "a about above after again all also am an and any are as at be because been before being below between both but by",
    "can could did do does doing down during each every for from further had has have having he her here hers him his",
    "how i if in into is it its itself me might more most must my near no nor not of off on once only or other our out",
    "over own per regarding s shall she should so some such t than that the their them then there these they this",
    "those through to too under until up upon us very via was we were what when where which while who whom why will",
    "with within without would you your d ll m re ve",
)
"""Words that say how others belong together."""

COURTESY = _words("please kindly thanks thank could would can you i like want wants just dear hello hi")
"""Words that say how something is asked for."""


SEEKING = _words(
    "current currently details find get give info information locate located look need search see seek show tell",
)
"""Words by which a thing is asked for, or asked for as it is now: "find information on X" asks for X."""

LISTING = frozenset(("and", "or"))
"""Words between things whose order does not matter."""


def _exclusive() -> dict[str, tuple[tuple[int, int], ...]]:
    found: dict[str, tuple[tuple[int, int], ...]] = {}
    for group, line in enumerate((*_CLASSES, *_OPPOSED)):
        for member, forms in enumerate(line.split("|")):
            for word in forms.split():
                found[word] = (*found.get(word, ()), (group, member))
    return found


EXCLUSIVE = _exclusive()
"""For each word, the closed classes that it is in, and which of their members, that rule each other out, it is."""
