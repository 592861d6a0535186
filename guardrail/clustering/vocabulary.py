"""The words by which names of arguments and texts are understood: plain vocabulary, no values of any tool."""

from __future__ import annotations


def _listed(*lines: str) -> frozenset[str]:
    return frozenset(" ".join(lines).split())


IDENTITY = _listed(
    "id ids uuid guid identifier identifiers email emails mail path paths file files filename filenames filepath",
    "directory dir folder url urls uri link href account accounts iban bic recipient recipients receiver receivers",
    "payee beneficiary sender token secret password username login user handle hash checksum digest sku isbn phone",
    "telephone fax mobile ssn passport code codes serial host hostname ip domain port branch commit sha ref bucket",
    "table database db schema collection queue topic_arn arn namespace repo repository cc bcc wallet cursor",
)

NAMED = _listed(
    "account user recipient receiver payee beneficiary file host domain table column branch bucket database repo",
    "repository",
)

NUMBERED = _listed(
    "number num no nr",
)

ADDRESS_OF = _listed(
    "email mail wallet ip mac from to",
)

CODE = _listed(
    "command cmd commands script sql code expression expressions function formula equation regex regexp pattern",
    "template json xml html yaml css snippet cron selector xpath jsonpath args argv",
)

IDENTITY_FORMATS = _listed(
    "email idn-email uri uri-reference iri url uuid hostname idn-hostname ipv4 ipv6 json-pointer regex",
)

MOMENT = _listed(
    "date datetime time timestamp deadline day when",
)

NOT_MOMENT = _listed(
    "duration zone timezone interval period format unit type range limit count",
)

MOMENT_FORMATS = _listed(
    "date time date-time",
)

ORDERED = _listed(
    "order ordered sort sorted sorting sequence step steps path route stop stops waypoints coordinate coordinates",
    "interval range vector matrix progression rank ranking ranked priority priorities history series stack queue",
    "args argv commands messages timeline points legs elements values",
)

UNORDERED = _listed(
    "ingredients items products preferences features facilities amenities categories tags labels topics keywords",
    "services filters options types genres interests skills symptoms requirements restrictions allergies attendees",
    "cards participants members recipients permissions roles languages countries metrics information cc bcc emails",
    "invitees guests users allergens toppings brands colors colours hobbies diets cuisines",
)

PARALLEL = _listed(
    "quantities amounts prices weights counts sizes scores units doses values",
)

SITES = _listed("com org net edu gov io co ai app dev info tv uk us de fr es it nl eu ca au jp in")
CASED = _listed(
    "unit units",
)

WORKS = _listed(
    "title book song movie film track album show game query text message body content comment note",
    "instruction instructions task statement request prompt question reason",
)
SAY_MORE = _listed(
    "name type kind value of id in on to from by for with and or not no min max first last new old",
    "city town village state country island port",
)
PROPER = _listed(
    "name names artist author actor director player person team club company brand model city town country state place",
    "location street address restaurant hotel theater theatre museum park school university band composer",
)
CLASSES = {  # what the values of such an argument are, in words that therefore say nothing more
    "event": ["concert", "show", "performance", "ceremony", "gig", "signing"],
    "events": ["concert", "show", "performance"],
    "genre": ["music", "film", "movie"],
    "cuisine": ["food", "cuisine", "restaurant"],
    "disease": ["disease", "illness"],
    "purpose": ["reminder"],
    "reminder": ["reminder"],
    "alarm": ["alarm", "reminder"],
    "species": ["species", "animal"],
    "sport": ["sport"],
    "language": ["language"],
}
COMPANY = _listed("company companies corporation firm employer organization organisation manufacturer vendor supplier")
LEGAL_FORMS = _listed("inc incorporated ltd limited llc llp plc corp corporation co gmbh ag sa bv nv")
CHANGING = _listed(
    "update set edit patch modify change replace upsert rename put write",
)

ACTING = _listed(
    "delete remove drop cancel purge erase clear wipe send pay transfer grant revoke block close stop approve reject",
)

NEGATION = _listed(
    "no not never none nobody nothing neither nor without cannot cant dont doesnt didnt isnt wasnt arent werent",
    "wont wouldnt shouldnt couldnt mustnt except exclude excluding unless stop avoid refuse",
)

DIRECTED = _listed(
    "from to into onto before after than by versus vs over under against for with",
)

_OPPOSED = (
    "on off",
    "in out",
    "up down",
    "open close",
    "opened closed",
    "start stop",
    "start end",
    "before after",
    "buy sell",
    "add remove",
    "add delete",
    "create delete",
    "include exclude",
    "accept reject",
    "approve reject",
    "approve deny",
    "allow deny",
    "allow block",
    "lock unlock",
    "enable disable",
    "increase decrease",
    "raise lower",
    "import export",
    "send receive",
    "lend borrow",
    "credit debit",
    "deposit withdraw",
    "first last",
    "left right",
    "min max",
    "minimum maximum",
    "more less",
    "high low",
    "hot cold",
    "above below",
    "over under",
    "oldest newest",
    "arrival departure",
    "arrive depart",
    "morning evening",
    "north south",
    "east west",
    "male female",
    "public private",
    "ascending descending",
)
OPPOSITES: dict[str, frozenset[str]] = {
    word: frozenset(other for pair in _OPPOSED if word in pair.split() for other in pair.split() if other != word)
    for word in _listed(*_OPPOSED)
}
WEEKDAYS = {
    form: day
    for day, forms in enumerate(
        (
            "monday mon",
            "tuesday tue tues",
            "wednesday wed",
            "thursday thu thur thurs",
            "friday fri",
            "saturday",  # "sat" and "sun" are words of their own
            "sunday",
        )
    )
    for form in forms.split()
}
COUNTS = {
    word: str(number)
    for number, word in enumerate(
        ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
    )
}
WILDCARDS = _listed(
    "any all every everything everyone everybody anything anyone none nothing default dontcare unknown other"
)
RELATIVE = _listed("today tomorrow yesterday tonight noon midnight next previous")
