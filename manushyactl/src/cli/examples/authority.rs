//! Who there is and what they may do.

use super::Example;

pub(super) const ALL: &[Example] = &[
    (
        "whoami",
        &[
            "manushyactl whoami",
            "MANUSHYA_TOKEN=$T manushyactl whoami -o json",
        ],
    ),
    ("tenant create", &["manushyactl tenant create acme"]),
    (
        "tenant list",
        &["manushyactl tenant list", "manushyactl tenant list -o name"],
    ),
    ("tenant show", &["manushyactl tenant show default"]),
    (
        "tenant delete",
        &["manushyactl tenant delete acme --confirm=acme"],
    ),
    (
        "identity create",
        &[
            "manushyactl identity create --external-id agent-a --role agent",
            "T=$(manushyactl identity create --external-id agent-b --role agent --claim team=web \
             --token-ttl 7d -o json | jq -r .access_token)",
        ],
    ),
    (
        "identity list",
        &[
            "manushyactl identity list --role agent",
            "manushyactl identity list --disabled -o json",
        ],
    ),
    ("identity show", &["manushyactl identity show agent-a"]),
    (
        "identity update",
        &[
            "manushyactl identity update agent-a --description \"Reviews pull requests\"",
            "manushyactl identity update agent-a --claim team=ops --claim level=2",
        ],
    ),
    ("identity enable", &["manushyactl identity enable agent-a"]),
    (
        "identity disable",
        &["manushyactl identity disable agent-a"],
    ),
    (
        "identity delete",
        &["manushyactl identity delete agent-a --confirm=agent-a"],
    ),
    (
        "identity export",
        &[
            "manushyactl identity export agent-a agent-a.age --recipient \
             age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p",
            "manushyactl identity export agent-a | jq -c 'select(.part == \"memories\").data.text'",
            "age -d -i my.key agent-a.age | manushyactl identity export --verify - --key auditor.pub",
        ],
    ),
    (
        "token issue",
        &[
            "manushyactl token issue agent-a --ttl 1h --scope memory:read,memory:search",
            "manushyactl token issue agent-a --label ci --out /run/secrets/agent-a",
            "manushyactl token issue --for helper --scope memory:read --namespace /project --ttl 10m \
             --uses 20 --purpose summary",
        ],
    ),
    (
        "token list",
        &[
            "manushyactl token list --identity agent-a",
            "manushyactl token list --all-states --all -o csv",
        ],
    ),
    (
        "token inspect",
        &[
            "manushyactl token inspect --token-file agent-a.token",
            "manushyactl token inspect - < agent-a.token",
        ],
    ),
    (
        "token revoke",
        &[
            "manushyactl token revoke tok_0r3k9c2v1g7hm0q8d4n5s6t7u0",
            "manushyactl token revoke --identity agent-a",
            "manushyactl token list --identity agent-a -o name | manushyactl token revoke -",
        ],
    ),
    (
        "api-key create",
        &[
            "manushyactl api-key create --identity agent-a --scope memory:read --name ci",
            "manushyactl api-key create --identity agent-a --ttl 30d --out /run/secrets/ci.key",
        ],
    ),
    (
        "api-key list",
        &["manushyactl api-key list --identity agent-a"],
    ),
    (
        "api-key revoke",
        &["manushyactl api-key revoke tok_0r3k9c2v1g7hm0q8d4n5s6t7u0"],
    ),
    (
        "login",
        &[
            "manushyactl login --token-file agent-a.token --label laptop",
            "manushyactl login --identity agent-a --ttl 12h",
        ],
    ),
    ("logout", &["manushyactl logout"]),
    (
        "session list",
        &["manushyactl session list --identity agent-a"],
    ),
    (
        "session revoke",
        &["manushyactl session revoke tok_0r3k9c2v1g7hm0q8d4n5s6t7u0"],
    ),
    (
        "identity invite",
        &[
            "manushyactl identity invite --role agent --ttl 7d",
            "manushyactl identity invite --role agent --external-id agent-c --out agent-c.code",
        ],
    ),
    (
        "identity bind",
        &[
            "manushyactl identity bind agent-a --uid 1007",
            "manushyactl identity bind agent-a --uid 1007 --exe-sha256 \
             e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        ],
    ),
    (
        "identity unbind",
        &["manushyactl identity unbind agent-a --uid 1007"],
    ),
    ("limit list", &["manushyactl limit list --identity agent-a"]),
    (
        "limit set",
        &[
            "manushyactl limit set memory 600 --role agent",
            "manushyactl limit set memories 50000",
            "manushyactl limit set tenant-bytes unlimited --tenant acme",
        ],
    ),
    (
        "limit reset",
        &["manushyactl limit reset memory --role agent"],
    ),
    (
        "enroll",
        &[
            "manushyactl enroll - --external-id agent-c < agent-c.code",
            "manushyactl enroll @agent-c.code --out agent-c.token",
        ],
    ),
    (
        "invitation list",
        &["manushyactl invitation list --all-states"],
    ),
    (
        "invitation show",
        &["manushyactl invitation show inv_0r3k9c2v1g7hm0q8d4n5s6t7u0"],
    ),
    (
        "invitation revoke",
        &["manushyactl invitation revoke inv_0r3k9c2v1g7hm0q8d4n5s6t7u0"],
    ),
    (
        "invitation resend",
        &["manushyactl invitation resend inv_0r3k9c2v1g7hm0q8d4n5s6t7u0"],
    ),
    (
        "policy apply",
        &[
            "manushyactl policy apply rule.json",
            "manushyactl policy apply policies/ --dry-run",
        ],
    ),
    ("policy list", &["manushyactl policy list --role agent"]),
    (
        "policy show",
        &["manushyactl policy show agents-own-memories -o json"],
    ),
    ("policy delete", &["manushyactl policy delete night-freeze"]),
    ("policy enable", &["manushyactl policy enable night-freeze"]),
    (
        "policy disable",
        &["manushyactl policy disable night-freeze"],
    ),
    (
        "policy validate",
        &["manushyactl policy validate rule.json"],
    ),
    (
        "policy test",
        &[
            "manushyactl policy test --role agent --action read --resource memory",
            "manushyactl policy test --role agent --action delete --resource memory --facts \
             '{\"memory\":{\"type\":\"note\"}}'",
            "manushyactl policy test cases.jsonl",
        ],
    ),
    (
        "policy can-i",
        &[
            "manushyactl policy can-i read memory --as agent-a",
            "manushyactl policy can-i delete memory --as agent-a --fact type=decision -q",
        ],
    ),
    (
        "policy explain",
        &[
            "manushyactl policy explain read memory --as agent-b --memory \
             mem_0r3k9c2v1g7hm0q8d4n5s6t7u0",
            "manushyactl policy explain manage identity --as agent-a --target agent-b",
        ],
    ),
    (
        "policy who-can",
        &["manushyactl policy who-can read memory -o json | jq '.items[] | {identity, answer}'"],
    ),
    ("policy what-can", &["manushyactl policy what-can agent-a"]),
    (
        "policy history",
        &[
            "manushyactl policy history",
            "manushyactl policy history night-freeze -o json",
        ],
    ),
    (
        "policy diff",
        &[
            "manushyactl policy diff night-freeze",
            "manushyactl policy diff night-freeze 1 3",
            "manushyactl policy diff night-freeze --file policies/night-freeze.json",
        ],
    ),
    (
        "policy rollback",
        &["manushyactl policy rollback night-freeze 1"],
    ),
    (
        "policy lint",
        &[
            "manushyactl policy lint",
            "manushyactl policy lint draft.json --strict",
        ],
    ),
    (
        "policy simulate",
        &[
            "manushyactl policy simulate draft.json --since 7d -o json | jq '.changed, .unchanged'",
            "manushyactl policy simulate draft.json --shadow",
        ],
    ),
    ("policy shadow clear", &["manushyactl policy shadow clear"]),
    (
        "policy shadow status",
        &["manushyactl policy shadow status -o json"],
    ),
    (
        "approval list",
        &[
            "manushyactl approval list --state waiting",
            "manushyactl approval list --mine",
        ],
    ),
    (
        "approval grant",
        &["manushyactl approval grant apr_0r3k9c2v1g7hm0q8d4n5s6t7u0 --ttl 10m"],
    ),
    (
        "approval refuse",
        &["manushyactl approval refuse apr_0r3k9c2v1g7hm0q8d4n5s6t7u0"],
    ),
];
