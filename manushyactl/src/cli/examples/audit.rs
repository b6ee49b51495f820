//! The audit log.

use super::Example;

pub(super) const ALL: &[Example] = &[
    (
        "audit list",
        &[
            "manushyactl audit list --decision deny --since 1h",
            "manushyactl audit list --all -o json | jq '.items[] | {seq, actor, action, resource, \
             decision, policy}'",
        ],
    ),
    ("audit show", &["manushyactl audit show 42"]),
    (
        "audit tail",
        &[
            "manushyactl audit tail -f",
            "manushyactl audit tail -f --since-seq 1000 -o jsonl",
        ],
    ),
    (
        "audit verify",
        &[
            "manushyactl audit verify",
            "manushyactl audit verify --key auditor.pub -o json",
            "manushyactl audit verify --offline proof.json --key auditor.pub",
        ],
    ),
    ("audit head", &["manushyactl audit head"]),
    (
        "audit key",
        &[
            "manushyactl audit key > auditor.pub",
            "manushyactl audit key --all",
        ],
    ),
    (
        "audit checkpoint list",
        &["manushyactl audit checkpoint list --all -o jsonl"],
    ),
    (
        "audit checkpoint show",
        &["manushyactl audit checkpoint show 1000 > old.note"],
    ),
    (
        "audit export",
        &[
            "manushyactl audit export --since 7d -o cef > week.cef",
            "manushyactl audit export --recipient age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p --out log.age",
        ],
    ),
    (
        "audit stats",
        &["manushyactl audit stats --since 1d -o json | jq .by_actor"],
    ),
    (
        "audit prove",
        &["manushyactl audit prove 42 -o json > proof.json"],
    ),
    (
        "audit consistency",
        &[
            "manushyactl audit consistency 1000 2000 -o json > growth.json",
            "manushyactl audit consistency old.note > growth.json",
        ],
    ),
];
