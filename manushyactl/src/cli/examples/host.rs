//! The host, its keys, erasure and backups.

use super::Example;

pub(super) const ALL: &[Example] = &[
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
        "quickstart",
        &[
            "manushyactl quickstart",
            "manushyactl quickstart notes.jsonl --query \"which database did we choose\" --keep",
        ],
    ),
    ("key list", &["manushyactl key list"]),
    (
        "key recover",
        &[
            "manushyactl key recover --identity-file /media/usb/recovery.key",
            "pass show manushya | manushyactl key recover --identity-file -",
        ],
    ),
    ("key recovery new", &["manushyactl key recovery new"]),
    (
        "key rotate",
        &[
            "manushyactl key rotate data",
            "manushyactl key rotate audit",
        ],
    ),
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
