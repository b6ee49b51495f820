//! The `http` embedder against a real service on this machine: what is not embedded yet is said, what
//! fails is tried again and told, and a change of the embedder is a move beside the searches.

use std::time::{Duration, Instant};

use manushya_tests::embeddings::{DIMS, Embeddings, Manner, embed};
use manushya_tests::{Caller, Daemon, Home};
use serde_json::{Value, json};

use crate::{add, agent, check_sound, identity, programs, word};

fn start(home: Home, service: &Embeddings, more: &str) -> Daemon {
    home.configure(&format!("{}\n{more}", service.settings("m1")));
    Daemon::start_in(&programs(), home)
}

fn search(by: &Caller, query: &str, mode: &str) -> Value {
    by.json(&["memory", "search", query, "--mode", mode, "--explain"])
}

fn index(daemon: &Daemon) -> Value {
    daemon.operator().json(&["status"])["host"]["indexes"][0].clone()
}

/// Waits until the status of the index is so.
#[track_caller]
fn await_index(daemon: &Daemon, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let start = Instant::now();
    loop {
        let now = index(daemon);
        if is_so(&now) {
            return now;
        }
        assert!(start.elapsed().as_secs() < 60, "never {what}: {now}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Waits until everything is embedded.
#[track_caller]
fn await_embedded(daemon: &Daemon) {
    let done = daemon.operator().json(&["memory", "reembed"]);
    assert_eq!(done["state"], "complete", "{done}");
    assert_eq!(
        (done["pending"].as_u64(), done["failed"].as_u64()),
        (Some(0), Some(0))
    );
}

fn first(answer: &Value) -> &str {
    answer["items"][0]["memory"]["text"]
        .as_str()
        .unwrap_or("nothing")
}

#[test]
fn memory_is_found_by_its_words_at_once_and_by_its_meaning_when_embedded() {
    let service = Embeddings::start();
    let home = Home::new();
    let key = home.write("key", "sk-zqxsecretkeyzqx\n");
    service.behave(Manner::Status(503));
    let daemon = start(home, &service, &format!("embedder_key_file = \"{key}\""));
    let by = agent(&daemon, "a");
    add(&by, "the car is parked outside zqxcontentzqx");
    add(&by, "lunch is at noon");
    // The embedder cannot be had: words answer, in every mode, and the answer says so.
    for mode in ["hybrid", "semantic"] {
        let answer = search(&by, "where is the car", mode);
        assert_eq!(answer["semantic"], "lexical only", "{answer}");
        assert!(first(&answer).contains("car"), "{answer}");
    }
    let told = by.run(&["memory", "search", "car"]).ok();
    assert!(told.stderr.contains("lexical only"), "{told:?}");
    assert_eq!(search(&by, "car", "lexical")["semantic"], "complete");
    let waiting = index(&daemon);
    assert_eq!(
        (&waiting["pending"], &waiting["semantic"]),
        (&json!(2), &json!("lexical only"))
    );
    let status = daemon.operator().json(&["status"]);
    let down = word(&status["host"]["embedder_down"]);
    assert!(down.contains("503"), "{down}");
    let view = daemon.operator().json(&["memory", "reembed", "--status"]);
    assert_eq!(view["pending"], 2, "{view}");
    // It is back.
    service.behave(Manner::Well);
    await_embedded(&daemon);
    let answer = search(&by, "automobile", "semantic");
    assert_eq!(answer["semantic"], "complete", "{answer}");
    assert!(first(&answer).contains("car"), "{answer}");
    let made = index(&daemon)["embedder"].clone();
    let parts = json!({"provider": "http", "model": "m1", "dimensions": DIMS, "revision": "1"});
    assert_eq!(made, parts);
    check_sound(&daemon.operator());
    // What it was asked, and with which key.
    let seen = service.seen();
    assert!(seen.len() > 2);
    for request in &seen {
        assert_eq!(request.path, "/v1/embeddings");
        assert_eq!(
            request.authorization.as_deref(),
            Some("Bearer sk-zqxsecretkeyzqx")
        );
        assert_eq!(request.body["model"], "m1");
        assert_eq!(request.body["encoding_format"], "float");
    }
    // Neither the key nor a text is told to anybody else.
    let operator = daemon.operator();
    let home = daemon.stop();
    let shown = operator
        .run(&["config", "show", "--origin", "-o", "json"])
        .ok()
        .stdout;
    assert!(
        shown.contains("daemon.embedder_url") && shown.contains(&key),
        "{shown}"
    );
    for text in [home.read_log(), shown] {
        assert!(
            !text.contains("zqxsecret") && !text.contains("zqxcontent"),
            "{text}"
        );
    }
}

#[test]
fn text_that_is_refused_fails_alone_and_is_listed() {
    let service = Embeddings::start();
    service.refuse(Some("poisonous"));
    let daemon = start(Home::new(), &service, "embedder_batch = 8");
    let (a, b) = (agent(&daemon, "a"), agent(&daemon, "b"));
    let bad = add(&a, "a poisonous mushroom");
    for n in 0..20 {
        add(&a, &format!("note {n} of the doctor"));
    }
    add(&b, "the doctor comes at noon");
    let out = daemon
        .operator()
        .run(&["memory", "reembed", "-o", "json"])
        .exits(3);
    let view = out.json();
    assert_eq!(
        (&view["failed"], &view["pending"]),
        (&json!(1), &json!(1)),
        "{view}"
    );
    assert_eq!(view["state"], "failing");
    let failure = &view["failures"][0];
    assert_eq!(failure["id"], json!(bad));
    assert!(failure["attempts"].as_u64() >= Some(5), "{failure}");
    let reason = word(&failure["reason"]);
    assert!(
        reason.contains("400") && !reason.contains("mushroom"),
        "{reason}"
    );
    let told = daemon
        .operator()
        .run(&["memory", "reembed", "--status"])
        .exits(3);
    assert!(told.stdout.contains("questions by"), "{told:?}");
    let doctor = daemon.operator().json(&["doctor"]);
    let check = doctor["items"].as_array().unwrap().iter();
    let check = check
        .clone()
        .find(|check| check["id"] == "embedding.default")
        .unwrap();
    assert_eq!(check["verdict"], "warning", "{check}");
    // An answer is behind for those who may see what is lacking, and for nobody else.
    assert_eq!(
        search(&a, "physician", "semantic")["semantic"],
        "behind by 1"
    );
    assert_eq!(
        search(&a, "mushroom", "hybrid")["items"][0]["memory"]["id"],
        json!(bad)
    );
    let other = search(&b, "physician", "semantic");
    assert_eq!(
        (first(&other), &other["semantic"]),
        ("the doctor comes at noon", &json!("complete"))
    );
    service.refuse(None);
    await_embedded(&daemon);
    assert_eq!(search(&a, "mushroom", "semantic")["semantic"], "complete");
}

#[test]
fn answer_that_is_wrong_in_any_way_is_no_vector() {
    let service = Embeddings::start();
    let elsewhere = Embeddings::start();
    let daemon = start(Home::new(), &service, "embedder_timeout = \"1s\"");
    let by = agent(&daemon, "a");
    let place = format!("http://{}/v1/embeddings", elsewhere.address());
    let wrong = [
        (Manner::WrongDims, "embedder_dims is 64"),
        (Manner::NotANumber, ""),
        (Manner::Zero, ""),
        (Manner::Truncated, "broke off"),
        (Manner::Huge, ""),
        (Manner::Status(401), "401"),
        (Manner::Status(500), ""),
        (Manner::Elsewhere(place), "307"),
        (Manner::Slow(Duration::from_millis(1500)), "in time"),
    ];
    for (n, (manner, reason)) in (1..).zip(wrong) {
        service.behave(manner.clone());
        add(&by, &format!("the cat number {n} sleeps"));
        let answer = search(&by, &format!("cat number {n}"), "hybrid");
        assert_eq!(answer["semantic"], "lexical only", "{manner:?}: {answer}");
        assert!(
            first(&answer).contains(&n.to_string()),
            "{manner:?}: {answer}"
        );
        assert_eq!(index(&daemon)["pending"], 1, "{manner:?}");
        if !reason.is_empty() {
            let status = daemon.operator().json(&["status"]);
            let down = word(&status["host"]["embedder_down"]);
            assert!(down.contains(reason), "{manner:?}: {down}");
        }
        service.behave(Manner::Well);
        await_embedded(&daemon);
        let answer = search(&by, "feline", "semantic");
        assert_eq!(
            (answer["total"].as_u64(), &answer["semantic"]),
            (Some(n), &json!("complete"))
        );
    }
    assert!(elsewhere.seen().is_empty());
    assert!(daemon.stop().read_log().contains("embedder_dims is 64"));
}

#[test]
fn queue_is_as_durable_as_the_memories() {
    let service = Embeddings::start();
    service.behave(Manner::Status(503));
    let daemon = start(Home::new(), &service, "");
    let by = agent(&daemon, "a");
    for n in 0..40 {
        add(&by, &format!("the car number {n}"));
    }
    let home = daemon.kill();
    service.behave(Manner::Well);
    let daemon = start(home, &service, "");
    await_embedded(&daemon);
    let texts: usize = service.seen().iter().map(|seen| seen.texts().len()).sum();
    assert!(texts >= 40);
    // What is embedded is stored: nobody has to be asked again, and nobody is there to ask.
    let address = service.address();
    let home = daemon.kill();
    drop(service);
    let (model, url) = ("m1", format!("http://{address}"));
    home.configure(&format!(
        "embedder = \"http\"\nmodel = \"{model}\"\nembedder_url = \"{url}\"\nembedder_dims = {DIMS}"
    ));
    let daemon = Daemon::start_in(&programs(), home);
    let status = index(&daemon);
    assert_eq!(status["pending"], 0, "{status}");
    let answer = search(&by, "the car number 7", "hybrid");
    assert_eq!(
        (first(&answer), &answer["semantic"]),
        ("the car number 7", &json!("lexical only"))
    );
    // A change of the text waits for its vector; a change of anything else keeps it.
    let id = word(&answer["items"][0]["memory"]["id"]);
    by.json(&["memory", "update", &id, "--tag", "seen"]);
    assert_eq!(index(&daemon)["pending"], 0);
    by.json(&["memory", "update", &id, "-m", "the doctor is in"]);
    assert_eq!(index(&daemon)["pending"], 1);
    // A memory that is gone is not waited for.
    by.json(&["memory", "delete", &id, "--hard", "-y"]);
    assert_eq!(index(&daemon)["pending"], 0);
    let id = add(&by, "a feline on the roof");
    let _service = Embeddings::start_at(address);
    await_embedded(&daemon);
    let answer = search(&by, "cat", "semantic");
    assert_eq!(answer["items"][0]["memory"]["id"], json!(id), "{answer}");
}

/// Every text is compared with the vectors of this model, and no other's.
#[track_caller]
fn check_compared_by(by: &Caller, model: &str, texts: &[String]) {
    let cosine = |a: &[f32], b: &[f32]| {
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f32>();
        dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
    };
    let query = "the car of the doctor number 3";
    let asked = embed(model, query, DIMS);
    let answer = by.json(&[
        "memory",
        "search",
        query,
        "--mode",
        "semantic",
        "--explain",
        "-k",
        "50",
    ]);
    let items = answer["items"].as_array().unwrap();
    assert!(items.len() >= texts.len() / 2, "{answer}");
    for item in items {
        let text = word(&item["memory"]["text"]);
        let right = cosine(&asked, &embed(model, &text, DIMS));
        let told = item["explain"]["cosine"].as_f64().unwrap() as f32;
        assert!((right - told).abs() < 0.02, "{text}: {told}, not {right}");
    }
}

#[test]
fn change_of_the_embedder_is_a_move_beside_the_searches() {
    let home = Home::new();
    home.configure("embedder = \"static\"");
    let daemon = Daemon::start_in(&programs(), home);
    let by = agent(&daemon, "a");
    let texts: Vec<String> = (0..60)
        .map(|n| format!("the car number {n} of the doctor"))
        .collect();
    for text in &texts {
        add(&by, text);
    }
    let refund = add(&by, "Clients ask for their money back");
    let home = daemon.stop();

    // Nothing can be embedded yet: the old vectors answer, and nothing is missing from them.
    let service = Embeddings::start();
    service.behave(Manner::Status(503));
    let daemon = start(home, &service, "embedder_batch = 8");
    let by_static = |daemon: &Daemon| {
        let answer = search(&by, "The customer wants a refund", "semantic");
        assert_eq!(
            answer["items"][0]["memory"]["id"],
            json!(refund),
            "{answer}"
        );
        assert_eq!(answer["semantic"], "complete");
        let status = index(daemon);
        assert_eq!(status["embedder"]["provider"], "static", "{status}");
        assert_eq!(status["next"]["provider"], "http", "{status}");
    };
    by_static(&daemon);
    // What is added meanwhile is found by the old vectors too.
    let late = add(&by, "The parcel was sent on its way");
    let answer = search(&by, "shipping of the package", "semantic");
    assert_eq!(answer["items"][0]["memory"]["id"], json!(late), "{answer}");
    // It is killed on the way, and goes on where it was.
    service.behave(Manner::Slow(Duration::from_millis(200)));
    await_index(&daemon, "half embedded", |it| {
        (1..50).contains(&it["pending"].as_u64().unwrap())
    });
    by_static(&daemon);
    let before = service.seen().len();
    let home = daemon.kill();
    let daemon = start(home, &service, "embedder_batch = 8");
    by_static(&daemon);
    await_embedded(&daemon);
    let after: Vec<String> = service.seen()[before..]
        .iter()
        .flat_map(|seen| seen.texts())
        .collect();
    assert!(after.len() < 60, "nothing was kept: {}", after.len());
    let status = await_index(&daemon, "moved", |it| it["next"].is_null());
    assert_eq!(status["embedder"]["provider"], "http", "{status}");
    service.behave(Manner::Well);
    check_compared_by(&by, "m1", &texts);
    check_sound(&daemon.operator());

    // From one service's model to another's: nobody can embed a question for the old vectors.
    let home = daemon.stop();
    service.behave(Manner::Status(503));
    home.configure(&service.settings("m2"));
    let daemon = Daemon::start_in(&programs(), home);
    let answer = search(&by, "the car number 7", "hybrid");
    assert_eq!(answer["semantic"], "lexical only", "{answer}");
    let status = index(&daemon);
    assert!(
        status["embedder"].is_null() && status["next"]["model"] == "m2",
        "{status}"
    );
    service.behave(Manner::Well);
    await_embedded(&daemon);
    check_compared_by(&by, "m2", &texts);

    // Back to one that embeds at once.
    let home = daemon.stop();
    home.configure("embedder = \"static\"");
    let daemon = Daemon::start_in(&programs(), home);
    let answer = search(&by, "The customer wants a refund", "semantic");
    assert_eq!(
        answer["items"][0]["memory"]["id"],
        json!(refund),
        "{answer}"
    );
    await_embedded(&daemon);
    let asked = service.seen().len();
    assert_eq!(search(&by, "refund", "hybrid")["semantic"], "complete");
    assert_eq!(service.seen().len(), asked, "nobody else is asked any more");
    check_sound(&daemon.operator());
}

#[test]
fn embedder_that_hangs_holds_up_neither_writers_nor_the_end() {
    let service = Embeddings::start();
    service.behave(Manner::Slow(Duration::from_secs(40)));
    let daemon = start(Home::new(), &service, "embedder_timeout = \"60s\"");
    let by = agent(&daemon, "a");
    let start = Instant::now();
    for n in 0..20 {
        add(&by, &format!("note {n}"));
    }
    let answer = search(&by, "note 7", "hybrid");
    assert_eq!(
        (first(&answer), &answer["semantic"]),
        ("note 7", &json!("lexical only"))
    );
    assert!(start.elapsed().as_secs() < 30, "{:?}", start.elapsed());
    let start = Instant::now();
    let log = daemon.stop().read_log();
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
    assert!(
        log.contains("Stopped.") && !log.contains("unclean"),
        "{log}"
    );
}

#[test]
fn only_who_administers_sees_the_embedding_and_each_step_is_audited() {
    let service = Embeddings::start();
    let daemon = start(Home::new(), &service, "");
    let (by, admin) = (
        agent(&daemon, "a"),
        identity(&daemon.operator(), "c", "admin"),
    );
    add(&by, "the car is parked");
    by.refused(5, &["memory", "reembed"]);
    by.refused(5, &["memory", "reembed", "--status"]);
    assert_eq!(admin.json(&["memory", "reembed"])["state"], "complete");
    let log = daemon.operator().json(&["audit", "list", "--limit", "100"]);
    let entries = log["items"].as_array().unwrap();
    let is = |entry: &&Value, action: &str, resource: &str| {
        entry["action"] == action && entry["resource"] == resource
    };
    let stored: Vec<_> = entries
        .iter()
        .filter(|it| is(it, "manage", "memory"))
        .collect();
    assert_eq!(stored.len(), 1, "{log}");
    assert_eq!(
        (&stored[0]["count"], &stored[0]["decision"]),
        (&json!(1), &json!("allow"))
    );
    let asked: Vec<_> = entries
        .iter()
        .filter(|it| is(it, "manage", "system"))
        .collect();
    let denied = asked.iter().filter(|it| it["decision"] == "deny").count();
    assert_eq!((asked.len(), denied), (2, 1), "{log}");
    // One who may not search sends nothing anywhere.
    let token = daemon
        .operator()
        .json(&["token", "issue", "a", "--scope", "memory:read"]);
    let reader = daemon
        .operator()
        .token(token["access_token"].as_str().unwrap());
    let before = service.seen().len();
    reader.refused(5, &["memory", "search", "car"]);
    assert_eq!(service.seen().len(), before);
}

#[test]
fn settings_that_cannot_be_end_the_start_with_what_is_wrong() {
    let base = "embedder = \"http\"\nmodel = \"m\"\n";
    let local = "embedder_url = \"http://127.0.0.1:9\"\n";
    for (settings, told) in [
        (base.to_owned(), "daemon.embedder_url"),
        (format!("{base}{local}"), "daemon.embedder_dims"),
        (
            format!("{base}{local}embedder_dims = 0"),
            "daemon.embedder_dims",
        ),
        (
            format!("{base}embedder_dims = 3\nembedder_url = \"http://192.0.2.1\""),
            "in the clear",
        ),
        (
            format!("{base}{local}embedder_dims = 3\nembedder_key_file = \"/nowhere/key\""),
            "/nowhere/key",
        ),
        (
            format!("{base}{local}embedder_dims = 3\nembedder_dim = 3"),
            "embedder_dim",
        ),
        ("embedder = \"model\"".to_owned(), "daemon.model"),
    ] {
        let home = Home::new();
        home.configure(&settings);
        let mut child = manushya_tests::daemon::spawn(&programs(), &home);
        let status = manushya_tests::daemon::wait(&mut child, Duration::from_secs(20));
        assert_eq!(status.code(), Some(2), "{settings}: {}", home.read_log());
        assert!(
            home.read_log().contains(told),
            "{settings}: {}",
            home.read_log()
        );
    }
}
