//! Memories.

use super::Example;

pub(super) const ALL: &[Example] = &[
    (
        "memory add",
        &[
            "manushyactl memory add \"The user prefers dark mode\" --type preference --tag ui",
            "manushyactl memory add @minutes.txt --session standup-42 --metadata author=ana --ttl \
             30d",
            "manushyactl memory add \"We deploy on Mondays\" --on-duplicate supersede",
            "git log -1 --format=%B | manushyactl memory add - --type commit --key \"$(git \
             rev-parse HEAD)\"",
            "manushyactl memory add \"The key of the vault is under the mat\" --canary",
        ],
    ),
    (
        "memory import",
        &[
            "manushyactl memory import notes.jsonl --reject rejects.jsonl",
            "manushyactl memory import big.jsonl --checkpoint big.done --on-conflict skip",
            "jq -r .input rejects.jsonl | manushyactl memory import -",
        ],
    ),
    (
        "memory get",
        &[
            "manushyactl memory get mem_0r3k9c2v1g7hm0q8d4n5s6t7u0",
            "manushyactl memory list -o name | manushyactl memory get - -o jsonl",
        ],
    ),
    (
        "memory list",
        &[
            "manushyactl memory list --tag deploy --since 7d",
            "manushyactl memory list --all -o jsonl | jq -r .text",
        ],
    ),
    (
        "memory search",
        &[
            "manushyactl memory search \"which theme does the user like\"",
            "manushyactl memory search \"database\" -k 3 --type decision --since 2026-01-01 \
             --explain",
            "manushyactl memory search \"where do we live\" --recency 30d --by-trust --diversify",
            "manushyactl memory search \"where do we live\" --as-of 2026-01-01",
            "manushyactl memory search - --filter '{\">=\":[{\"var\":\"memory.trust\"},80]}' < \
             question.txt",
        ],
    ),
    (
        "memory recall",
        &[
            "manushyactl memory recall \"what does the user like\" --budget 2000 -q >> prompt.txt",
            "manushyactl memory recall \"when do we deploy\" --budget 800 --min-trust 60 -o json \
             | jq -r .text",
        ],
    ),
    (
        "memory update",
        &[
            "manushyactl memory update mem_0r3k9c2v1g7hm0q8d4n5s6t7u0 -m \"Deploys go out on \
             Mondays\"",
            "manushyactl memory update mem_0r3k9c2v1g7hm0q8d4n5s6t7u0 --tag deploy,ops \
             --if-version 2",
        ],
    ),
    (
        "memory history",
        &["manushyactl memory history mem_0r3k9c2v1g7hm0q8d4n5s6t7u0"],
    ),
    (
        "memory restore",
        &["manushyactl memory restore mem_0r3k9c2v1g7hm0q8d4n5s6t7u0"],
    ),
    (
        "memory delete",
        &[
            "manushyactl memory delete mem_0r3k9c2v1g7hm0q8d4n5s6t7u0 -y",
            "manushyactl memory delete mem_0r3k9c2v1g7hm0q8d4n5s6t7u0 --hard -y",
            "manushyactl memory list --session scratch --all -o name | manushyactl memory delete \
             - -y",
        ],
    ),
    (
        "memory export",
        &[
            "manushyactl memory export --out memories.jsonl",
            "manushyactl memory export --owner agent-a --since 30d | gzip > agent-a.jsonl.gz",
        ],
    ),
    (
        "memory reembed",
        &[
            "manushyactl memory reembed",
            "manushyactl memory reembed --status -o json | jq '.failures[]'",
        ],
    ),
    (
        "memory stats",
        &[
            "manushyactl memory stats",
            "manushyactl memory stats --owner agent-a -o json",
        ],
    ),
    (
        "memory review list",
        &[
            "manushyactl memory review list",
            "manushyactl memory review list --all -o jsonl | jq -r '[.id,.owner,.text]|@tsv'",
        ],
    ),
    (
        "memory review approve",
        &[
            "manushyactl memory review approve mem_0r3k9c2v1g7hm0q8d4n5s6t7u0",
            "manushyactl memory review approve mem_0r3k9c2v1g7hm0q8d4n5s6t7u0 --if-version 2",
        ],
    ),
    (
        "memory review reject",
        &[
            "manushyactl memory review reject mem_0r3k9c2v1g7hm0q8d4n5s6t7u0 -y",
            "manushyactl memory review list --all -o name | manushyactl memory review reject - -y",
        ],
    ),
    (
        "memory canary set",
        &["manushyactl memory canary set mem_0r3k9c2v1g7hm0q8d4n5s6t7u0"],
    ),
    (
        "memory canary clear",
        &["manushyactl memory canary clear mem_0r3k9c2v1g7hm0q8d4n5s6t7u0"],
    ),
    (
        "memory canary list",
        &["manushyactl memory canary list -o json"],
    ),
];
