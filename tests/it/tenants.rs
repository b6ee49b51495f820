//! Two tenants under random concurrent use: no foreign hit, ever.

use manushya_protocol::client::Client;
use manushya_protocol::error::ErrorCode;
use manushya_protocol::id::MemoryId;
use manushya_protocol::v1::memory::{
    MemoryAdd, MemoryDelete, MemoryList, MemoryRef, MemorySearch, MemoryUpdate, SearchMode,
};
use manushya_tests::call;
use manushya_tests::random::Random;
use manushya_tests::text::Texts;

use crate::{check_sound, daemon, identity};

/// Steps of each of the six users.
const STEPS: usize = 150;

struct User {
    client: Client,
    /// A word of every text of this user's tenant and of no other's.
    mark: &'static str,
    /// Seen in the other tenant: ids that must not be known here.
    foreign: Vec<MemoryId>,
    own: Vec<MemoryId>,
    random: Random,
}

async fn search(user: &mut User, texts: &Texts) -> usize {
    let mode = [
        SearchMode::Hybrid,
        SearchMode::Lexical,
        SearchMode::Semantic,
    ][user.random.below(3)];
    // It asks for the words of both tenants.
    let query = format!("acmemark zenmark {}", texts.text(&mut user.random, 30));
    let request = MemorySearch {
        query,
        mode,
        limit: Some(50),
        ..Default::default()
    };
    let answer = call!(user.client, memory_search, request).await.unwrap();
    for hit in &answer.items {
        assert!(
            hit.memory.text.starts_with(user.mark),
            "a foreign hit: {:?}",
            hit.memory.text
        );
    }
    answer.items.len()
}

async fn step(user: &mut User, texts: &Texts) -> usize {
    let text = format!("{} {}", user.mark, texts.text(&mut user.random, 60));
    match user.random.below(10) {
        0..=3 => {
            let add = MemoryAdd {
                text,
                ..Default::default()
            };
            user.own
                .push(call!(user.client, memory_add, add).await.unwrap().id);
        }
        4 if !user.own.is_empty() => {
            let id = user.own.swap_remove(user.random.below(user.own.len()));
            let hard = user.random.below(2) == 0;
            call!(user.client, memory_delete, MemoryDelete { id, hard })
                .await
                .unwrap();
            let error = call!(user.client, memory_get, MemoryRef { id })
                .await
                .unwrap_err();
            assert_eq!(error.code, ErrorCode::NotFound);
        }
        5 if !user.own.is_empty() => {
            let id = *user.random.pick(&user.own).unwrap();
            let request = MemoryUpdate {
                id,
                text: Some(text),
                if_version: None,
                kind: None,
                tags: None,
                metadata: None,
                namespace: None,
                session: None,
                trust: None,
                ttl_seconds: None,
                source: None,
            };
            call!(user.client, memory_update, request).await.unwrap();
        }
        6 => {
            let list = call!(user.client, memory_list, MemoryList::default())
                .await
                .unwrap();
            assert!(
                list.items
                    .iter()
                    .all(|memory| memory.text.starts_with(user.mark))
            );
            assert_eq!(list.total, user.own.len() as u64);
        }
        7 => {
            let Some(id) = user.random.pick(&user.foreign).copied() else {
                return 0;
            };
            let error = call!(user.client, memory_get, MemoryRef { id })
                .await
                .unwrap_err();
            assert_eq!(error.code, ErrorCode::NotFound);
        }
        _ => return search(user, texts).await,
    }
    0
}

#[test]
fn two_tenants_never_meet() {
    let daemon = daemon();
    let operator = daemon.operator();
    operator.json(&["tenant", "create", "acme"]);
    operator.json(&["tenant", "create", "zen"]);
    let mut tokens = Vec::new();
    for (tenant, mark) in [("acme", "acmemark"), ("zen", "zenmark")] {
        let by = operator.with("MANUSHYA_TENANT", tenant);
        for n in 0..3 {
            let caller = identity(&by, &format!("agent-{n}"), "agent");
            tokens.push((caller.bearer().unwrap().to_owned(), mark));
        }
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let hits = runtime.block_on(async {
        let mut users = Vec::new();
        for (seed, (token, mark)) in tokens.iter().enumerate() {
            let client = daemon.client(Some(token)).await.unwrap();
            let random = Random::new(seed as u64);
            users.push(User {
                client,
                mark,
                foreign: Vec::new(),
                own: Vec::new(),
                random,
            });
        }
        // A first memory each, which those of the other tenant will ask for.
        let mut firsts = Vec::new();
        for user in &users {
            let add = MemoryAdd {
                text: format!("{} first", user.mark),
                ..Default::default()
            };
            firsts.push((
                user.mark,
                call!(user.client, memory_add, add).await.unwrap().id,
            ));
        }
        let tasks: Vec<_> = users
            .into_iter()
            .zip(firsts.clone())
            .map(|(mut user, (mark, own))| {
                user.own.push(own);
                user.foreign = firsts
                    .iter()
                    .filter(|(m, _)| *m != mark)
                    .map(|(_, id)| *id)
                    .collect();
                tokio::spawn(async move {
                    let texts = Texts::new();
                    let mut hits = 0;
                    for _ in 0..STEPS {
                        hits += step(&mut user, &texts).await;
                    }
                    hits
                })
            })
            .collect();
        let mut hits = 0;
        for task in tasks {
            hits += task.await.unwrap();
        }
        hits
    });
    assert!(
        hits > 500,
        "only {hits} hits: the searches found too little to prove anything"
    );
    check_sound(&operator);
}
