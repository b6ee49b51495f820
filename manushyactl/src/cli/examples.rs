//! The examples that lead every command's help. A test parses each of them.

mod audit;

/// Command paths and their examples.
pub const ALL: &[(&str, &[&str])] = &[
    (
        "",
        &[
            "manushyactl up",
            "manushyactl memory add \"Deploys go out on Tuesdays\" --type decision --tag deploy",
            "manushyactl memory search \"when do we deploy\"",
            "manushyactl quickstart",
        ],
    ),
    (
        "up",
        &[
            "manushyactl up",
            "manushyactl up --foreground --passphrase-file ~/.manushya-pass",
        ],
    ),
    ("down", &["manushyactl down"]),
    (
        "status",
        &[
            "manushyactl status",
            "manushyactl status -o json | jq .host.memories",
        ],
    ),
    (
        "doctor",
        &[
            "manushyactl doctor",
            "manushyactl doctor -o json | jq '.items[] | select(.verdict != \"ok\")'",
        ],
    ),
    (
        "whoami",
        &[
            "manushyactl whoami",
            "MANUSHYA_TOKEN=$T manushyactl whoami -o json",
        ],
    ),
    (
        "quickstart",
        &[
            "manushyactl quickstart",
            "manushyactl quickstart notes.jsonl --query \"which database did we choose\" --keep",
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
        &["manushyactl identity export agent-a --out agent-a.json"],
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
    ("key list", &["manushyactl key list"]),
    ("key rotate", &["manushyactl key rotate data"]),
    (
        "key passphrase set",
        &["manushyactl key passphrase set --file /run/secrets/manushya"],
    ),
    (
        "key passphrase remove",
        &["manushyactl key passphrase remove"],
    ),
    ("key jwks", &["manushyactl key jwks > jwks.json"]),
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
        &["manushyactl policy simulate draft.json --since 7d -o json | jq '.changed, .unchanged'"],
    ),
    (
        "purge plan",
        &[
            "manushyactl purge plan --subject agent-a",
            "manushyactl purge plan --session scratch --until 30d -o json | jq .memories",
            "manushyactl purge plan --writer agent-a --since 2h",
        ],
    ),
    (
        "purge apply",
        &["manushyactl purge apply prg_0r3k9c2v1g7hm0q8d4n5s6t7u0 --confirm=agent-a"],
    ),
    ("purge list", &["manushyactl purge list"]),
    ("purge run", &["manushyactl purge run"]),
    (
        "purge receipt",
        &[
            "manushyactl purge receipt prg_0r3k9c2v1g7hm0q8d4n5s6t7u0",
            "manushyactl purge receipt prg_0r3k9c2v1g7hm0q8d4n5s6t7u0 --out receipt.json",
        ],
    ),
    (
        "purge verify",
        &[
            "manushyactl purge verify prg_0r3k9c2v1g7hm0q8d4n5s6t7u0 --old /mnt/old/data",
            "manushyactl purge verify receipt.json --offline --key auditor.pub",
        ],
    ),
    (
        "purge hold add",
        &["manushyactl purge hold add --subject agent-a --reason 'case 2026-114'"],
    ),
    ("purge hold list", &["manushyactl purge hold list"]),
    (
        "purge hold release",
        &["manushyactl purge hold release hld_0r3k9c2v1g7hm0q8d4n5s6t7u0"],
    ),
    (
        "backup create",
        &[
            "manushyactl backup create /mnt/backup/manushya.age --keep 90d",
            "manushyactl backup create b.age --recipient age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p",
        ],
    ),
    (
        "backup verify",
        &[
            "manushyactl backup verify b.age",
            "manushyactl backup verify b.age --identity /media/usb/recovery.age-key",
        ],
    ),
    (
        "backup restore",
        &[
            "manushyactl backup restore b.age --identity /media/usb/recovery.age-key",
            "MANUSHYA_HOME=/srv/new manushyactl backup restore b.age --from-home /srv/old",
            "manushyactl backup restore b.age --into /srv/drill",
        ],
    ),
    ("backup list", &["manushyactl backup list"]),
    (
        "backup forget",
        &["manushyactl backup forget bkp_0r3k9c2v1g7hm0q8d4n5s6t7u0"],
    ),
    ("seal", &["manushyactl seal"]),
    ("unseal", &["manushyactl unseal"]),
    ("config show", &["manushyactl config show --origin"]),
    ("config path", &["manushyactl config path"]),
    (
        "config template",
        &["manushyactl config template > ~/.config/manushya/config.toml"],
    ),
    (
        "completions",
        &["manushyactl completions bash > ~/.local/share/bash-completion/completions/manushyactl"],
    ),
    (
        "man",
        &[
            "manushyactl man | man -l -",
            "manushyactl man memory search > manushyactl-memory-search.1",
        ],
    ),
    (
        "help",
        &[
            "manushyactl help memory search",
            "manushyactl help exit-codes",
        ],
    ),
];

/// Every command path that has examples, with them.
pub fn all() -> impl Iterator<Item = &'static (&'static str, &'static [&'static str])> {
    ALL.iter().chain(audit::AUDIT)
}

/// The examples of the command at `path`, such as `memory add`.
pub fn of(path: &str) -> Option<&'static [&'static str]> {
    all()
        .find(|(name, _)| *name == path)
        .map(|(_, lines)| *lines)
}

/// Examples as they stand in help.
pub fn block(lines: &[&str]) -> String {
    let mut text = String::from("Examples:");
    for line in lines {
        text.push_str("\n  ");
        text.push_str(line);
    }
    text
}

/// The words of the `manushyactl` call in an example, as a shell would hand them over. Enough of
/// a shell for the examples: quotes, and the ends of a call.
#[cfg(test)]
pub fn words(line: &str) -> Vec<String> {
    let start = line
        .rfind("manushyactl ")
        .expect("the examples call manushyactl");
    let first = line
        .find("manushyactl ")
        .expect("the examples call manushyactl");
    let start = if line[..start].trim_end().ends_with('|') {
        start
    } else {
        first
    };
    let mut words = vec![String::new()];
    let mut quote = None;
    for c in line[start..].chars() {
        match quote {
            Some(q) if c == q => quote = None,
            Some(_) => words.last_mut().expect("not empty").push(c),
            None if c == '"' || c == '\'' => quote = Some(c),
            None if c == '|' || c == '<' || c == '>' => break,
            None if c == ' ' => words.push(String::new()),
            None => words.last_mut().expect("not empty").push(c),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}
