"""What an action item may begin with. Pure."""

from __future__ import annotations

import re

VERBS = frozenset(
    re.findall(
        r"\S+",
        """
        add address adjust adopt agree alert allow apply ask assign attach audit automate avoid
        back backfill backport benchmark block bring build bump cache call catch centralise
        centralize change check clarify clean collect come commit compare configure confirm
        connect consider consolidate contact control convert coordinate copy cover create curate
        cut deal decide declare decommission decouple decrease define delete deploy deprecate
        describe design detach detect determine diagnose disable discuss distribute do document
        double drop edit educate eliminate emit enable encrypt enforce enhance ensure escalate
        establish estimate evaluate exclude execute expand explore export extend extract figure
        filter find finish fix follow force formalise formalize gather generate get give grant
        group guard halt handle harden hire hold identify implement improve include increase
        inform inspect install instrument integrate introduce investigate invite isolate join
        keep launch learn limit link load lock log look lower maintain make map mark match
        measure merge migrate minimise minimize mitigate model monitor move name negotiate
        normalise normalize notify open optimise optimize organise organize page pass patch
        pause perform persist pick pin place plan point port post practice practise prepare
        preserve prevent prioritise prioritize promote propose protect prove provide provision
        publish pull purge push put query queue raise rate-limit reach rebalance rebuild receive
        record recover redesign reduce refactor refine register reject relax release remove
        rename renew reorder repair repeat replace report require research reset resize resolve
        restart restore restrict retire retry return reuse revert review revise rework rewrite
        roll rotate route run save scale schedule script search secure send separate serve set
        setup share ship shorten show shut sign simplify size skip slow solve sort specify speed
        split stagger standardise standardize start stick stop store stream strengthen structure
        subscribe support surface suspend switch sync tag take talk target teach tell test
        throttle tie tighten trace track train transfer transition treat trigger trim try tune
        turn unblock understand unify uninstall update upgrade upload upstream use validate
        verify vet wait walk warn watch wire work wrap write
        """,
    )
)
