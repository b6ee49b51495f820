//! Well-formed requests that ask for the absurd.

use std::path::Path;

use serde_json::{Value, json};

use super::{Behaviour, ask, call, search, send, send_at_once, spelled};
use crate::wire::{self, SOON};

pub(super) const ALL: &[Behaviour] = &[
    Behaviour {
        name: "k of 2^63 and more",
        attack: limits,
    },
    Behaviour {
        name: "scores that are no numbers",
        attack: scores,
    },
    Behaviour {
        name: "times beyond all calendars",
        attack: times,
    },
    Behaviour {
        name: "tokens of 10 MB",
        attack: tokens,
    },
    Behaviour {
        name: "forged tokens",
        attack: forged,
    },
    Behaviour {
        name: "texts one byte too long",
        attack: texts,
    },
    Behaviour {
        name: "metadata beyond its bounds",
        attack: metadata,
    },
    Behaviour {
        name: "labels with control characters and 1,000 tags",
        attack: labels,
    },
    Behaviour {
        name: "rules that nest",
        attack: rules,
    },
    Behaviour {
        name: "rules as wide as a frame",
        attack: wide_rules,
    },
    Behaviour {
        name: "questions of 64 KiB",
        attack: questions,
    },
    Behaviour {
        name: "cursors of others",
        attack: cursors,
    },
    Behaviour {
        name: "batches beyond the bound",
        attack: batches,
    },
    Behaviour {
        name: "ids of nothing",
        attack: ids,
    },
    Behaviour {
        name: "names of tenants and purposes of 900 KB",
        attack: names,
    },
    Behaviour {
        name: "values of the wrong type in every field",
        attack: wrong_types,
    },
    Behaviour {
        name: "purge plans of everything",
        attack: plans,
    },
    Behaviour {
        name: "policies that lock everybody out",
        attack: policies,
    },
];

fn limits(socket: &Path) {
    for limit in [
        "9223372036854775808",
        "18446744073709551616",
        "4294967295",
        "0",
        "-1",
        "1e9",
        "NaN",
    ] {
        let request = format!(r#"{{"query":"still","limit":{limit}}}"#);
        send(socket, spelled("MemorySearch", &request).as_bytes());
        let page = format!(r#"{{"page":{{"limit":{limit}}}}}"#);
        send(socket, spelled("MemoryList", &page).as_bytes());
    }
}

fn scores(socket: &Path) {
    for score in [
        "NaN",
        "Infinity",
        "-Infinity",
        "1e39",
        "-1e39",
        "1e400",
        "0x1p3",
        "\"0.5\"",
        "[]",
    ] {
        let request = format!(r#"{{"query":"still","min_score":{score}}}"#);
        send(socket, spelled("MemorySearch", &request).as_bytes());
    }
}

fn times(socket: &Path) {
    for time in [
        json!("+999999999999-01-01T00:00:00Z"),
        json!(i64::MIN),
        json!(u64::MAX),
        json!(""),
    ] {
        ask(
            socket,
            &search(&json!({"query": "still", "filter": {"since": time}})),
        );
        ask(
            socket,
            &call("MemoryAdd", &json!({"text": "x", "expires_at": time})),
        );
        ask(
            socket,
            &call("MemoryAdd", &json!({"text": "x", "created_at": time})),
        );
    }
    ask(
        socket,
        &call(
            "MemoryAdd",
            &json!({"text": "of no end", "key": "ttl", "ttl_seconds": u64::MAX}),
        ),
    );
    ask(
        socket,
        &call(
            "AuditTail",
            &json!({"after": u64::MAX, "limit": u32::MAX, "wait_ms": 0}),
        ),
    );
    ask(socket, &call("AuditRead", &json!({"from": u64::MAX})));
}

fn hello(token: &str) -> String {
    let mut hello = wire::hello();
    hello["Hello"]["request"]["token"] = json!(token);
    wire::request(1, SOON, &hello)
}

fn tokens(socket: &Path) {
    send_at_once(socket, hello(&"a".repeat(10 << 20)).as_bytes());
    send_at_once(socket, hello(&"a.".repeat(400 << 10)).as_bytes());
    send_at_once(socket, hello(&"eyJ".repeat(1400)).as_bytes());
    ask(
        socket,
        &call("TokenInspect", &json!({"token": "b".repeat(900_000)})),
    );
}

fn forged(socket: &Path) {
    for token in [
        "",
        ".",
        "..",
        "...",
        "a.b.c",
        "\u{0}.\u{0}.\u{0}",
        "mk_",
        "Bearer x",
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.",
        "eyJhbGciOiJIUzI1NiIsInR5cCI6ImF0K2p3dCJ9.e30.AAAA",
    ] {
        send_at_once(socket, hello(token).as_bytes());
    }
}

fn texts(socket: &Path) {
    for text in [
        "".to_owned(),
        " ".to_owned(),
        "x".repeat((64 << 10) + 1),
        "x".repeat(900_000),
    ] {
        ask(socket, &call("MemoryAdd", &json!({"text": text})));
        ask(
            socket,
            &call(
                "MemoryAdd",
                &json!({"text": "x", "key": text, "source": text}),
            ),
        );
        ask(
            socket,
            &call(
                "MemoryAdd",
                &json!({"text": "x", "namespace": text, "type": text}),
            ),
        );
    }
}

fn metadata(socket: &Path) {
    let many: Value = (0..500)
        .map(|n| (format!("k{n}"), json!(n)))
        .collect::<serde_json::Map<_, _>>()
        .into();
    let deep = (0..100).fold(json!(1), |inner, _| json!([inner]));
    for value in [
        many,
        json!({"a": deep}),
        json!({"a": "x".repeat(20 << 10)}),
        json!({"a": {"b": {}}}),
    ] {
        ask(
            socket,
            &call("MemoryAdd", &json!({"text": "x", "metadata": value})),
        );
        let identity = json!({"external_id": "bomb", "role": "agent", "claims": value});
        ask(socket, &call("IdentityCreate", &identity));
    }
}

fn labels(socket: &Path) {
    let many: Vec<String> = (0..1000).map(|n| format!("t{n}")).collect();
    for tags in [
        json!(many),
        json!(["\u{1b}[31m"]),
        json!(["x".repeat(65)]),
        json!(["", " "]),
    ] {
        ask(
            socket,
            &call("MemoryAdd", &json!({"text": "x", "tags": tags})),
        );
        ask(
            socket,
            &search(&json!({"query": "still", "filter": {"tags": tags}})),
        );
    }
    let path = "/a".repeat(17);
    for namespace in [path.as_str(), "a", "//", "/..", "/a/\u{0}", "/\u{202e}"] {
        ask(
            socket,
            &call("MemoryAdd", &json!({"text": "x", "namespace": namespace})),
        );
    }
}

fn rules(socket: &Path) {
    for depth in [17, 100, 120, 400] {
        let rule = (0..depth).fold(json!(true), |inner, _| json!({"!": [inner]}));
        ask(
            socket,
            &search(&json!({"query": "still", "filter": {"rule": rule}})),
        );
        let policy = json!({"name": "deep", "role": "agent", "rule": rule, "effect": "allow"});
        ask(socket, &call("PolicyApply", &json!({"policies": [policy]})));
    }
}

fn wide_rules(socket: &Path) {
    let parts: Vec<Value> = (0..20_000)
        .map(|n| json!({"==": [n, {"var": "memory.trust"}]}))
        .collect();
    for rule in [
        json!({"or": parts}),
        json!({"cat": ["x".repeat(500_000)]}),
        json!({"reduce": [[], {}, 0]}),
    ] {
        ask(
            socket,
            &search(&json!({"query": "still", "filter": {"rule": rule}})),
        );
        ask(
            socket,
            &call(
                "PolicyValidate",
                &json!({"policies": [{"name": "w", "role": "*", "rule": rule, "effect": "deny"}]}),
            ),
        );
    }
}

fn questions(socket: &Path) {
    let words: String = (0..9_000).map(|n| format!("w{n} ")).collect();
    let same = "still ".repeat(10_000);
    let one = "x".repeat(64 << 10);
    for query in [&words, &same, &one] {
        for mode in ["hybrid", "lexical", "semantic"] {
            ask(
                socket,
                &search(&json!({"query": query, "mode": mode, "limit": 1000, "explain": true})),
            );
        }
    }
    ask(
        socket,
        &search(&json!({"query": "x".repeat((64 << 10) + 1)})),
    );
}

fn cursors(socket: &Path) {
    for cursor in [
        "\u{0}\u{ffff}".repeat(1000),
        "idn_0000".into(),
        "9".repeat(900_000),
        "../..".into(),
    ] {
        for method in [
            "MemoryList",
            "IdentityList",
            "TokenList",
            "PolicyList",
            "AuditList",
            "PurgeList",
        ] {
            ask(
                socket,
                &call(method, &json!({"page": {"limit": 1000, "cursor": cursor}})),
            );
        }
    }
}

fn batches(socket: &Path) {
    let item = json!({"text": "one of many"});
    for count in [513, 10_000] {
        ask(
            socket,
            &call(
                "MemoryAddMany",
                &json!({"items": vec![item.clone(); count]}),
            ),
        );
    }
    let big = json!({"text": "x".repeat(60_000)});
    send(
        socket,
        wire::request(
            1,
            SOON,
            &call("MemoryAddMany", &json!({"items": vec![big; 20]})),
        )
        .as_bytes(),
    );
}

fn ids(socket: &Path) {
    for id in [
        json!(7),
        json!(""),
        json!("mem_"),
        json!("idn_00000000000000000000000000"),
        json!("m".repeat(900_000)),
        json!("mem_00000000000000000000000000"),
    ] {
        for method in [
            "MemoryGet",
            "MemoryHistory",
            "MemoryRestore",
            "MemoryDelete",
            "MemoryReview",
            "MemoryCanary",
        ] {
            ask(
                socket,
                &call(method, &json!({"id": id, "approve": true, "canary": true})),
            );
        }
    }
}

fn names(socket: &Path) {
    let long = "x".repeat(900_000);
    ask(socket, &json!({"Whoami": {"call": {"tenant": long}}}));
    ask(socket, &json!({"Whoami": {"call": {"purpose": long}}}));
    ask(socket, &call("TenantCreate", &json!({"name": "\u{0}"})));
    ask(socket, &call("IdentityShow", &json!({"identity": long})));
    ask(socket, &call("PolicyShow", &json!({"policy": long})));
}

fn wrong_types(socket: &Path) {
    let honest = json!({"query": "still", "limit": 3, "mode": "hybrid", "filter": {}, "min_score": 0.1, "explain": false});
    let Some(fields) = honest.as_object() else {
        return;
    };
    for field in fields.keys() {
        for value in [
            json!(null),
            json!(true),
            json!([[]]),
            json!({"a": 1}),
            json!(-1),
            json!(1.5),
            json!("x"),
        ] {
            let mut request = honest.clone();
            request[field] = value;
            ask(socket, &search(&request));
        }
    }
}

fn plans(socket: &Path) {
    for _ in 0..50 {
        ask(
            socket,
            &call("PurgePlan", &json!({"filter": {"namespace": "/"}})),
        );
    }
    ask(
        socket,
        &call(
            "PurgePlan",
            &json!({"subject": "operator", "expired": true, "filter": {}}),
        ),
    );
    ask(
        socket,
        &call(
            "PurgeApply",
            &json!({"plan": "prg_00000000000000000000000000", "confirm": "x"}),
        ),
    );
}

fn policies(socket: &Path) {
    let deny =
        json!({"name": "never", "role": "*", "rule": true, "effect": "deny", "priority": i32::MAX});
    ask(
        socket,
        &call("PolicyApply", &json!({"policies": [deny], "force": false})),
    );
    let many: Vec<Value> = (0..2_000)
        .map(
            |n| json!({"name": format!("p{n}"), "role": "nobody", "rule": false, "effect": "deny"}),
        )
        .collect();
    ask(socket, &call("PolicyValidate", &json!({"policies": many})));
}
