//! `identity bind`: processes that need no secret. They have to be of another user than the daemon's,
//! so that these tests need root, and say that they skip without it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use manushya_tests::{Caller, Daemon};
use rustix::process::getuid;
use serde_json::Value;

use crate::{agent, daemon, daemon_with, programs, word};

const UID: u32 = 54_321;

/// A daemon that the group of the stranger may connect to, and the command line where it can run it.
fn open_daemon() -> Option<(Daemon, PathBuf)> {
    let known = |name: &str| Command::new(name).arg("--version").output().is_ok();
    if !getuid().is_root() || !known("setpriv") {
        println!("skipped: it takes root and setpriv to be another user");
        return None;
    }
    let daemon = daemon_with(&format!("socket_gid = {UID}\n"));
    let home = daemon.home().path().to_owned();
    let open = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    open(&home, 0o711);
    let folder = daemon.home().folder("stranger");
    open(&folder, 0o777);
    let ctl = folder.join("ctl");
    std::fs::copy(&programs().ctl, &ctl).unwrap();
    open(&ctl, 0o755);
    Some((daemon, ctl))
}

fn as_stranger(daemon: &Daemon, program: &Path, arguments: &[&str]) -> Output {
    let id = UID.to_string();
    Command::new("setpriv")
        .args(["--reuid", &id, "--regid", &id, "--clear-groups", "--"])
        .arg(program)
        .args(arguments)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("MANUSHYA_HOME", daemon.home().join("stranger"))
        .env("MANUSHYA_SOCKET", daemon.home().socket())
        .output()
        .unwrap()
}

fn whoami(daemon: &Daemon, ctl: &Path) -> Result<Value, i32> {
    let out = as_stranger(daemon, ctl, &["whoami", "-o", "json"]);
    match out.status.success() {
        true => Ok(serde_json::from_slice(&out.stdout).unwrap()),
        false => Err(out.status.code().unwrap()),
    }
}

fn sha256(path: &Path) -> String {
    let out = Command::new("sha256sum").arg(path).output().unwrap();
    String::from_utf8_lossy(&out.stdout)[..64].to_owned()
}

fn bind(ctl: &Caller, arguments: &[&str]) -> Value {
    let uid = UID.to_string();
    ctl.json(&[&["identity", "bind", "a", "--uid", &uid], arguments].concat())
}

#[test]
fn bound_process_is_its_identity_and_no_other_is() {
    let Some((daemon, ctl)) = open_daemon() else {
        return;
    };
    let operator = daemon.operator();
    agent(&daemon, "a");
    assert_eq!(whoami(&daemon, &ctl), Err(4), "a stranger is nobody");
    let bound = bind(&operator, &[]);
    assert_eq!(bound["bindings"][0]["uid"], UID);
    let me = whoami(&daemon, &ctl).unwrap();
    assert_eq!(
        (&me["external_id"], &me["via"]),
        (&"a".into(), &"peer uid".into())
    );
    assert_eq!(me["operator"], false);
    let add = as_stranger(&daemon, &ctl, &["memory", "add", "without a secret"]);
    assert!(add.status.success(), "{add:?}");
    let shown = operator.json(&["identity", "show", "a"]);
    assert_eq!(shown["bindings"].as_array().unwrap().len(), 1);
    operator.json(&["identity", "unbind", "a", "--uid", &UID.to_string()]);
    assert_eq!(whoami(&daemon, &ctl), Err(4));

    // Of one program only.
    bind(&operator, &["--exe-sha256", &"0".repeat(64)]);
    assert_eq!(whoami(&daemon, &ctl), Err(4), "it is another program");
    bind(&operator, &["--exe-sha256", &sha256(&ctl)]);
    assert_eq!(whoami(&daemon, &ctl).unwrap()["external_id"], "a");
    let other = ctl.with_file_name("other");
    let mut bytes = std::fs::read(&ctl).unwrap();
    bytes.push(0);
    std::fs::write(&other, bytes).unwrap();
    std::fs::set_permissions(&other, std::fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(whoami(&daemon, &other), Err(4), "it is another program");
    operator.json(&["identity", "disable", "a"]);
    assert_eq!(whoami(&daemon, &ctl), Err(4));
}

/// A process that connects, asks who it is, and hands its socket on in one of several ways. Whoever has
/// it then asks again.
const HANDS_ON: &str = r#"
import array, json, os, socket, struct, sys, time
def frame(id, message):
    trace = {"trace_id": [0] * 16, "span_id": 0, "sampling_decision": "Unsampled"}
    context = {"deadline": {"secs": 10, "nanos": 0}, "trace_context": trace}
    body = json.dumps({"Request": {"context": context, "id": id, "message": message}}).encode()
    return struct.pack(">I", len(body)) + body
def receive(s):
    n = struct.unpack(">I", s.recv(4, socket.MSG_WAITALL))[0]
    return s.recv(n, socket.MSG_WAITALL).decode()
def ask(s, id):
    s.sendall(frame(id, {"Whoami": {"call": {"dry_run": False}}}))
    print(receive(s), flush=True)
path, way, other = sys.argv[1], sys.argv[2], sys.argv[3]
if way == "take":
    ask(socket.socket(fileno=int(path)), 7)
    sys.exit()
s = socket.socket(socket.AF_UNIX)
s.connect(path)
s.sendall(frame(0, {"Hello": {"request": {"client": "t", "api_min": 1, "api_max": 1}}}))
receive(s)
ask(s, 1)
parent = os.getpid()
if way == "orphan" and os.fork() == 0:
    while os.getppid() == parent:
        time.sleep(0.01)
    time.sleep(0.3)
    ask(s, 2)
elif way == "pass":
    here, there = socket.socketpair(socket.AF_UNIX)
    if os.fork() == 0:
        s.close()
        taken = socket.socket(fileno=socket.recv_fds(there, 1, 1)[1][0])
        while os.getppid() == parent:
            time.sleep(0.01)
        time.sleep(0.3)
        ask(taken, 2)
    else:
        socket.send_fds(here, [b"x"], [s.fileno()])
elif way == "exec":
    os.set_inheritable(s.fileno(), True)
    os.execv(other, [other, sys.argv[0], str(s.fileno()), "take", "-"])
"#;

/// The answers that a socket gets before and after it was handed on.
fn handed_on(daemon: &Daemon, ctl: &Path, program: &Path, way: &str) -> Vec<String> {
    let script = ctl.with_file_name("hands_on.py");
    std::fs::write(&script, HANDS_ON).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    let socket = daemon.home().socket();
    let other = ctl.with_file_name("python-other");
    let words = [
        script.as_path(),
        socket.as_path(),
        Path::new(way),
        other.as_path(),
    ];
    let words = words.map(|it| it.to_str().unwrap());
    let out = as_stranger(daemon, program, &words);
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(text.lines().count() >= 2, "{way}: {out:?}");
    text.lines().map(str::to_owned).collect()
}

#[test]
fn socket_that_is_handed_on_loses_the_identity() {
    let Some((daemon, ctl)) = open_daemon() else {
        return;
    };
    let python = Path::new("/usr/bin/python3");
    if Command::new(python).arg("--version").output().is_err() {
        println!("skipped: it takes python3 to hand a socket on");
        return;
    }
    // Two programs that differ in nothing but their hash.
    let copy = |name: &str, more: &[u8]| {
        let mut bytes = std::fs::read(python).unwrap();
        bytes.extend_from_slice(more);
        let path = ctl.with_file_name(name);
        std::fs::write(&path, bytes).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    };
    let (own, _other) = (copy("python-own", b""), copy("python-other", b"\0"));
    agent(&daemon, "a");
    bind(&daemon.operator(), &["--exe-sha256", &sha256(&own)]);
    for way in ["orphan", "pass", "exec"] {
        let answers = handed_on(&daemon, &ctl, &own, way);
        assert!(
            answers[0].contains(r#""external_id":"a""#),
            "{way}: {answers:?}"
        );
        assert!(answers[1].contains("UNAUTHENTICATED"), "{way}: {answers:?}");
    }
    // Each is in the log as a login that failed.
    let log = daemon
        .operator()
        .json(&["audit", "list", "--action", "login"]);
    assert!(log["total"].as_u64() >= Some(3), "{log}");
}

#[test]
fn what_must_not_be_bound_is_not() {
    let daemon = daemon();
    let operator = daemon.operator();
    let own = getuid().as_raw().to_string();
    let a = agent(&daemon, "a");
    agent(&daemon, "b");
    operator.refused(7, &["identity", "bind", "a", "--uid", &own]);
    a.refused(6, &["identity", "bind", "b", "--uid", "4711"]);
    a.refused(5, &["identity", "bind", "a", "--uid", "4711"]);
    operator.refused(
        2,
        &[
            "identity",
            "bind",
            "a",
            "--uid",
            "4711",
            "--exe-sha256",
            "x",
        ],
    );
    operator.refused(6, &["identity", "bind", "nobody", "--uid", "4711"]);
    operator.json(&["identity", "bind", "a", "--uid", "4711"]);
    operator.refused(7, &["identity", "bind", "b", "--uid", "4711"]);
    operator.refused(6, &["identity", "unbind", "b", "--uid", "4711"]);
    let log = operator.json(&["audit", "list", "--action", "create", "--resource", "token"]);
    assert!(log["total"].as_u64().unwrap() >= 1, "{log}");
    // With the identity goes what it was known by.
    operator.json(&["identity", "delete", "a", "--confirm", "a"]);
    let bound = operator.json(&["identity", "bind", "b", "--uid", "4711"]);
    assert!(word(&bound["bindings"][0]["id"]).starts_with("bnd_"));
}
