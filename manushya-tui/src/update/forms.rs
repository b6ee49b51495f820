//! Forms, and what comes back from the editor.

use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::unit::parse_duration_seconds;
use manushya_protocol::v1::identity::IdentityCreate;
use manushya_protocol::v1::memory::{MemoryRef, MemoryUpdate};
use manushya_protocol::v1::policy::{PolicyApply, PolicyQuestion, PolicySpec};
use manushya_protocol::v1::purge::PurgePlanCreate;
use manushya_protocol::v1::token::TokenIssue;
use serde_json::{Map, Value};

use super::{Out, ask};
use crate::effect::{Ask, Effect, Subject};
use crate::keymap::Action;
use crate::model::overlay::{Field, Form, FormKind, Input, Overlay, Pane};
use crate::model::{Model, document};
use crate::msg::Key;
use crate::text::Role;

/// Fields as their names, hints and first texts.
type Fields = &'static [(&'static str, &'static str, &'static str)];

const IDENTITY: Fields = &[
    ("external id", "unique here, such as agent-a", ""),
    (
        "role",
        "which policies rule by: agent, user, admin",
        "agent",
    ),
    ("description", "what it is for", ""),
    ("claims", "facts for policies, such as team=web level=2", ""),
    ("token ttl", "life of its token, such as 7d", "24h"),
];
const TOKEN: Fields = &[
    ("identity", "id or external id", ""),
    ("ttl", "its life, such as 1h or 7d", "1h"),
    (
        "scopes",
        "such as memory:read,memory:search; empty is everything",
        "",
    ),
    ("label", "a note that tells it from others", ""),
];
const PLAN: Fields = &[
    (
        "subject",
        "an identity that shall go with everything; or else",
        "",
    ),
    (
        "expired",
        "yes: what is expired, or deleted and past its retention",
        "",
    ),
];
const QUESTION: Fields = &[
    ("identity", "who; empty is you", ""),
    (
        "action",
        "create read search update delete restore export purge manage",
        "read",
    ),
    (
        "resource",
        "memory identity token policy audit system",
        "memory",
    ),
    (
        "memory or target",
        "an id mem_… or an identity; empty is its own",
        "",
    ),
    ("facts", "of the memory, such as type=note trust=80", ""),
];

/// Opens the form of an action.
pub fn open(model: &mut Model, action: Action) {
    let (kind, title, fields) = match action {
        Action::IdentityCreate => (FormKind::Identity, "Create an identity", IDENTITY),
        Action::TokenIssue => (FormKind::Token, "Issue a token", TOKEN),
        Action::SystemPlan => (FormKind::Plan, "Plan a purge", PLAN),
        _ => (FormKind::Question, "Ask the policies", QUESTION),
    };
    let field = |(label, hint, text): &(&'static str, &'static str, &str)| Field {
        label,
        hint,
        input: Input::of(*text),
    };
    let mut fields: Vec<Field> = fields.iter().map(field).collect();
    if kind == FormKind::Token {
        let listed = model
            .tokens
            .list
            .current()
            .map(|token| token.identity.clone());
        let named = model.tokens.identity.as_ref().map(|(_, name)| name.clone());
        fields[0].input = Input::of(named.or(listed).unwrap_or_default());
    }
    model.overlay = Some(Overlay::Form(Form {
        kind,
        title,
        fields,
        focus: 0,
        is_busy: false,
        error: None,
    }));
}

/// A key in a form.
pub fn press(model: &mut Model, mut form: Form, key: Key, out: &mut Out) {
    let last = form.fields.len() - 1;
    match key {
        _ if form.is_busy => {}
        Key::Esc => return,
        Key::Tab | Key::Down => form.focus = (form.focus + 1) % form.fields.len(),
        Key::BackTab | Key::Up => form.focus = (form.focus + last) % form.fields.len(),
        Key::Enter if form.focus < last => form.focus += 1,
        Key::Enter => return send(model, form, out),
        _ => {
            let input = &mut form.fields[form.focus].input;
            match key {
                Key::Char(c) => input.insert(c.encode_utf8(&mut [0; 4])),
                Key::Backspace | Key::Delete => input.backspace(),
                Key::Ctrl('u') => input.text.clear(),
                Key::Ctrl('w') => input.drop_word(),
                _ => {}
            }
        }
    }
    model.overlay = Some(Overlay::Form(form));
}

fn send(model: &mut Model, mut form: Form, out: &mut Out) {
    let made = match form.kind {
        FormKind::Identity => identity(&form),
        FormKind::Token => token(&form),
        FormKind::Plan => plan(&form),
        FormKind::Question => question(&form),
    };
    let ask = match made {
        Ok(ask) => ask,
        Err(error) => {
            form.error = Some(error);
            model.overlay = Some(Overlay::Form(form));
            return;
        }
    };
    if form.kind == FormKind::Question {
        // The form stays behind the answer's place, so that the next question is a key away.
        return ask::read(model, "decision", ask, out);
    }
    if !model.can_write() {
        model.tell(Role::Warn, "write mode has ended: ctrl-w");
        model.overlay = Some(Overlay::Form(form));
        return;
    }
    form.is_busy = true;
    form.error = None;
    let done = match form.kind {
        FormKind::Identity => format!("created: {}", form.value("external id")),
        FormKind::Token => format!("issued: a token of {}", form.value("identity")),
        _ => "planned; nothing is erased yet".to_owned(),
    };
    model.overlay = Some(Overlay::Form(form));
    ask::change(model, vec![ask], done, out);
}

fn wrong(message: impl Into<String>, hint: &str) -> WireError {
    WireError::new(ErrorCode::InvalidArgument, message).hint(hint)
}

fn seconds(form: &Form, label: &str) -> Result<Option<u64>, WireError> {
    form.given(label)
        .map(|text| {
            parse_duration_seconds(&text)
                .map_err(|error| wrong(error.to_string(), "correct it, or esc"))
        })
        .transpose()
}

/// Reads `name=value` words; a value that is JSON is taken as such.
fn pairs(text: &str) -> Result<Map<String, Value>, WireError> {
    let mut map = Map::new();
    for word in text.split_whitespace() {
        let (name, value) = word.split_once('=').ok_or_else(|| {
            wrong(
                format!("`{word}` is no name=value"),
                "write for example team=web level=2",
            )
        })?;
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
        map.insert(name.to_owned(), value);
    }
    Ok(map)
}

fn required(form: &Form, label: &str) -> Result<String, WireError> {
    form.given(label)
        .ok_or_else(|| wrong(format!("{label} is empty"), "it cannot be without"))
}

fn identity(form: &Form) -> Result<Ask, WireError> {
    Ok(Ask::IdentityCreate(IdentityCreate {
        external_id: required(form, "external id")?,
        role: required(form, "role")?,
        name: None,
        description: form.given("description"),
        claims: pairs(&form.value("claims"))?,
        token_ttl_seconds: seconds(form, "token ttl")?,
        quarantine: false,
    }))
}

fn token(form: &Form) -> Result<Ask, WireError> {
    let scopes = form.value("scopes");
    Ok(Ask::TokenIssue(TokenIssue {
        identity: required(form, "identity")?,
        ttl_seconds: seconds(form, "ttl")?,
        scopes: scopes
            .split([',', ' '])
            .filter(|scope| !scope.is_empty())
            .map(str::to_owned)
            .collect(),
        label: form.given("label"),
        ..TokenIssue::default()
    }))
}

fn plan(form: &Form) -> Result<Ask, WireError> {
    let expired = matches!(form.value("expired").as_str(), "yes" | "y");
    let subject = form.given("subject");
    if subject.is_some() == expired {
        return Err(wrong(
            "a plan is for exactly one of the two",
            "fill in one field, and empty the other",
        ));
    }
    Ok(Ask::Plan(PurgePlanCreate {
        subject,
        expired,
        ..PurgePlanCreate::default()
    }))
}

fn question(form: &Form) -> Result<Ask, WireError> {
    let about = form.given("memory or target");
    let memory = about.as_deref().and_then(|text| text.parse().ok());
    Ok(Ask::Explain(PolicyQuestion {
        action: required(form, "action")?,
        resource: required(form, "resource")?,
        identity: form.given("identity"),
        target: about.filter(|_| memory.is_none()),
        memory,
        facts: pairs(&form.value("facts"))?,
    }))
}

/// Opens the text of the selected memory in the editor.
pub fn edit_memory(model: &mut Model, out: &mut Out) {
    let Some(hit) = model.memories.list.current() else {
        return;
    };
    if hit.memory.redacted.iter().any(|field| field == "text") {
        // What stands in its place must not be written over it.
        return model.tell(Role::Warn, "the text is redacted to you");
    }
    let subject = Subject::Memory(MemoryRef { id: hit.memory.id }, hit.memory.version);
    let text = hit.memory.text.clone();
    model.editing = Some(subject.clone());
    out.push(Effect::Edit(subject, text));
}

/// Opens the selected policy in the editor.
pub fn edit_policy(model: &mut Model, out: &mut Out) {
    let Some(policy) = model.policies.list.current() else {
        return;
    };
    let spec = PolicySpec {
        name: Some(policy.name.clone()),
        role: policy.role.clone(),
        rule: policy.rule.clone(),
        effect: policy.effect,
        priority: policy.priority,
        is_active: policy.is_active,
        description: policy.description.clone(),
        fields: policy.fields.clone(),
    };
    let text = serde_json::to_string_pretty(&spec).unwrap_or_default();
    let subject = Subject::Policy(Box::new(spec));
    model.editing = Some(subject.clone());
    out.push(Effect::Edit(subject, text));
}

/// The editor was closed.
pub fn edited(model: &mut Model, text: Option<String>, out: &mut Out) {
    let Some(subject) = model.editing.take() else {
        return;
    };
    let Some(text) = text else {
        return model.tell(Role::Plain, "nothing was changed");
    };
    if let Some(reason) = model
        .why_not(Action::MemoryEdit)
        .filter(|_| !model.can_write())
    {
        return model.tell(Role::Warn, reason);
    }
    match subject {
        Subject::Memory(memory, version) => {
            let ask = Ask::MemoryUpdate(MemoryUpdate {
                id: memory.id,
                if_version: Some(version),
                text: Some(text.trim_end_matches('\n').to_owned()),
                kind: None,
                tags: None,
                metadata: None,
                namespace: None,
                session: None,
                trust: None,
                ttl_seconds: None,
                source: None,
            });
            ask::change(model, vec![ask], format!("changed: {}", memory.id), out);
        }
        Subject::Policy(_) => match serde_json::from_str::<PolicySpec>(&text) {
            Ok(spec) => {
                let done = format!("applied: {}", spec.name.as_deref().unwrap_or("policy"));
                let apply = PolicyApply {
                    policies: vec![spec],
                    ..PolicyApply::default()
                };
                ask::change(model, vec![Ask::PolicyApply(apply)], done, out);
            }
            Err(error) => {
                let error = wrong(
                    "the policy was not applied: it does not read",
                    "e edits it again",
                )
                .reason(error.to_string());
                model.overlay = Some(Overlay::Pane(Pane::new(
                    "not applied",
                    document::error(&error),
                )));
            }
        },
    }
}
