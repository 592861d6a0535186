"""Are samples drawn anew each time? Caches, fixed seeds and greedy decoding are told from a model that is just sure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from guardrail.sampling import provenance
from guardrail.types import Sample
from guardrail_openai.doctor import canaries
from guardrail_openai.doctor.findings import Finding, Level
from guardrail_openai.doctor.probes import Drawn, Probes, said

_DRAWINGS = 3
_HOTTER = 1.6
_SURE = "confident model"
_SHORT = 200
"""Tokens of a random answer: at a high temperature a model may never stop."""
_MEANS = "Copies agree with each other whatever they say: agreement would look like certainty."
_LIMITS = ("max_tokens", "max_completion_tokens", "max_output_tokens")


def independence(probes: Probes, most: int) -> list[Finding]:
    """Draws the random canary one by one and, where ``most`` choices come at once, together."""
    request = _short(probes.request(canaries.RANDOM, "save_note"))
    alone = [probes.draw("are samples drawn anew?", request) for _ in range(_DRAWINGS)]
    samples = [sample for drawn in alone for sample in drawn.samples]
    findings = [_one_by_one(probes, request, samples)]
    if most > 1 and findings[0].level is not Level.FAILURE:
        # where the model is sure, only a temperature at which it is not tells copies from drawings
        request = _hotter(request) if findings[0].data.get("cause") == _SURE else request
        findings.append(_together(probes.draw("are choices drawn anew?", request, min(most, 4))))
    return findings


def _one_by_one(probes: Probes, request: dict[str, Any], samples: Sequence[Sample]) -> Finding:
    sources = [source for sample in samples if (source := provenance(sample)) is not None]
    texts = [text for sample in samples if (text := said(sample))]
    data = {"drawn": len(samples), "different": len(set(texts)), "ids": len(set(sources))}
    if len(set(sources)) < len(sources):
        return _not_independent(
            f"{len(sources) - len(set(sources)) + 1} separate requests got one response, id included: an answer cache.",
            "Turn the cache of whole answers off for this model (prompt caches may stay).",
            {**data, "cause": "cache"},
        )
    if len(texts) < 2:
        return Finding(
            check="independence",
            level=Level.FAILURE,
            found=f"Only {len(texts)} of {len(samples)} random answers came back: it cannot be told.",
            means=_MEANS,
            remedy="Run the doctor again; look at the failures above.",
            data=data,
        )
    if len(set(texts)) < len(texts):
        return _diagnosis(probes, request, texts, data)
    unnamed = len(samples) - len(sources)
    return Finding(
        check="independence",
        level=Level.WARNING if unnamed else Level.OK,
        found=f"{len(texts)} separate requests for something random gave {len(texts)} different answers."
        + (" Responses have no ids." if unnamed else ""),
        means="Without ids a copy from a cache cannot be recognised later." if unnamed else "",
        remedy="Make sure that nothing in front of the model caches whole answers." if unnamed else "",
        data=data,
    )


def _diagnosis(probes: Probes, request: dict[str, Any], texts: Sequence[str], data: dict[str, Any]) -> Finding:
    """Why random answers are the same: the model is sure of itself, or something repeats it."""
    hotter = _hotter(request)
    again = [said(s) for _ in range(_DRAWINGS) for s in probes.draw("why are they the same?", hotter).samples]
    if len(set(again)) == len(again) > 1:
        return Finding(
            check="independence",
            level=Level.WARNING,
            found=f"At temperature 1 {len(texts) - len(set(texts)) + 1} of {len(texts)} random answers are the same; "
            f"at {_HOTTER} all {len(again)} differ. The model is drawn anew, and sure of itself even here.",
            means="Agreement tells less with this model than with one that varies.",
            remedy="Calibrate on your own labels, and give its tools stricter tiers.",
            data={**data, "cause": _SURE},
        )
    other = [said(s) for s in probes.draw("is it a cache?", _with_another_limit(hotter)).samples]
    if other and again and other[0] != again[0]:
        return _not_independent(
            "Equal requests get equal answers under new ids, and a request that differs in its token limit alone gets "
            "another: a cache of whole answers that gives them new ids.",
            "Turn that cache off for this model (prompt caches may stay).",
            {**data, "cause": "cache"},
        )
    if "temperature" not in request:
        return _not_independent(
            "Equal requests get equal answers: a fixed seed, greedy decoding, or a cache that looks at prompts alone.",
            "Look for a seed or a cache in the server's configuration or a proxy.",
            {**data, "cause": "seed, greedy decoding or cache"},
        )
    if again and again[0] in texts:
        return _not_independent(
            "The temperature has no effect: greedy decoding, or a cache that looks at the prompt alone.",
            "Let the request's temperature count (a server's or proxy's own overrides it), or turn the cache off.",
            {**data, "cause": "temperature"},
        )
    return _not_independent(
        "Equal requests get equal answers, others at another temperature: a fixed seed.",
        "Remove the seed from the server's configuration or the proxy.",
        {**data, "cause": "seed"},
    )


def _together(drawn: Drawn) -> Finding:
    texts = [text for sample in drawn.samples if (text := said(sample))]
    data = {"choices": len(texts), "different": len(set(texts))}
    if len(texts) < 2:
        return Finding(
            check="independence of choices",
            level=Level.FAILURE,
            found=f"Only {len(texts)} of {drawn.asked} choices came back: it cannot be told.",
            means=_MEANS,
            remedy="Run the doctor again, or give the sampler use_n=False.",
            data=data,
        )
    if len(set(texts)) == 1:
        return Finding(
            check="independence of choices",
            level=Level.FAILURE,
            found=f"{len(texts)} choices of one response are the same, separate responses are not.",
            means=_MEANS,
            remedy="Give the sampler use_n=False.",
            data=data,
        )
    return Finding(
        check="independence of choices",
        level=Level.OK,
        found=f"{len(texts)} choices of one response: {len(set(texts))} different answers.",
        data=data,
    )


def variety(drawn: Sequence[Drawn], *, independent: bool) -> Finding:
    """The free canary: a model that gives one answer where anything would do says little by agreeing."""
    samples = [sample for one in drawn for sample in one.samples if sample.valid]
    answers = {said(sample) for sample in samples}
    data = {"answers": len(samples), "different": len(answers)}
    if len(samples) > 2 and len(answers) == 1 and independent:
        return Finding(
            check="variety",
            level=Level.WARNING,
            found=f"Asked for any city, it gave the same one {len(samples)} times, though its samples are independent.",
            means="It is sure of itself even where nothing speaks for its choice: agreement tells less.",
            remedy="Calibrate on your own labels, and give its tools stricter tiers.",
            data=data,
        )
    return Finding(
        check="variety",
        level=Level.OK if independent else Level.WARNING,
        found=f"Asked for any city, {len(samples)} answers name {len(answers)} different ones."
        if samples
        else "No answer to the free canary is valid.",
        data=data,
    )


def _not_independent(found: str, remedy: str, data: dict[str, Any]) -> Finding:
    return Finding(check="independence", level=Level.FAILURE, found=found, means=_MEANS, remedy=remedy, data=data)


def _hotter(request: dict[str, Any]) -> dict[str, Any]:
    return {key: _HOTTER if key == "temperature" else value for key, value in request.items()}


def _short(request: dict[str, Any]) -> dict[str, Any]:
    return {key: _SHORT if key in _LIMITS else value for key, value in request.items()}


def _with_another_limit(request: dict[str, Any]) -> dict[str, Any]:
    return {key: value + 1 if key in _LIMITS else value for key, value in request.items()}
