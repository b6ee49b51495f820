//! What can be said against policies without any request: rules that never match, that others hide,
//! that contradict each other, and what is left to the default.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use serde_json::{Map, Value};

use super::eval::View;
use super::fact::{Fact, IdentityFact};
use super::facts::Facts;
use super::node::Node;
use super::open::{never_true, reads, residual};
use super::set::{Entry, PolicySet};
use crate::model::{Action, Effect, Identity, Policy, Resource, Role};

/// How serious a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Something that is hardly meant.
    Warning,
    /// Something to know.
    Note,
}

impl Level {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// How serious it is.
    pub level: Level,
    /// What kind of thing: `refused`, `never-matches`, `unknown-word`, `shadowed`, `contradicts`,
    /// `unused-fact`, `unused-role`, `unused-claim` or `default`.
    pub kind: &'static str,
    /// The policy; none for what concerns a role or the tenant.
    pub policy: Option<Arc<Policy>>,
    /// Why, in one sentence.
    pub reason: String,
}

/// What is asked of a policy: every pair but presenting a credential, which no policy is asked about.
pub fn pairs() -> impl Iterator<Item = (Action, Resource)> {
    let actions = Action::ALL
        .iter()
        .filter(|action| **action != Action::Login);
    actions.flat_map(|action| {
        Resource::ALL
            .iter()
            .map(move |resource| (*action, *resource))
    })
}

/// What a policy comes to for one pair.
enum Cell {
    /// It cannot match.
    Never,
    /// It always matches.
    Always,
    /// It may match.
    May,
}

/// One policy over all pairs.
struct Row<'a> {
    entry: &'a Entry,
    place: usize,
    cells: Vec<Cell>,
    /// The open facts that remain anywhere.
    used: BTreeSet<Fact>,
}

impl PolicySet {
    /// Looks for what is hardly meant. `identities` are those of the tenant.
    pub fn lint<'i>(&self, identities: impl Iterator<Item = &'i Identity>) -> Vec<Finding> {
        let people = People::of(identities);
        let rows: Vec<Row<'_>> = self
            .all_entries()
            .into_iter()
            .enumerate()
            .map(|(place, entry)| Row::of(entry, place))
            .collect();
        let mut findings = Vec::new();
        let cover = Cover::of(&rows);
        for row in &rows {
            row.judge(&people, &mut findings);
            row.judge_beside(&cover, &rows, &mut findings);
        }
        // They decide nothing, and so hide nothing and are hidden by nothing.
        let masking: Vec<Row<'_>> = self.all_redactions().map(Row::of_redaction).collect();
        for row in &masking {
            row.judge(&people, &mut findings);
        }
        people.judge(&rows, &masking, &mut findings);
        findings.sort_by_key(|finding| finding.level);
        findings
    }
}

impl<'a> Row<'a> {
    fn of(entry: &'a Entry, place: usize) -> Self {
        let mut used = BTreeSet::new();
        let cells = pairs()
            .map(|(action, resource)| cell(entry, action, resource, &mut used))
            .collect();
        Self {
            entry,
            place,
            cells,
            used,
        }
    }

    /// Memories alone are masked.
    fn of_redaction(entry: &'a Entry) -> Self {
        let mut row = Self::of(entry, 0);
        for ((_, resource), cell) in pairs().zip(&mut row.cells) {
            if resource != Resource::Memory {
                *cell = Cell::Never;
            }
        }
        row
    }

    fn finding(&self, level: Level, kind: &'static str, reason: String) -> Finding {
        Finding {
            level,
            kind,
            policy: Some(self.entry.policy.clone()),
            reason,
        }
    }

    fn never_matches(&self) -> bool {
        self.cells.iter().all(|cell| matches!(cell, Cell::Never))
    }

    fn judge_beside(&self, cover: &Cover<'_>, rows: &[Self], findings: &mut Vec<Finding>) {
        if self.entry.rule.is_err() || self.never_matches() {
            return;
        }
        if let Some(hiding) = cover.hides(self) {
            findings.push(self.hidden(&rows[hiding]));
        }
    }

    fn judge(&self, people: &People, findings: &mut Vec<Finding>) {
        let policy = &self.entry.policy;
        let rule = match &self.entry.rule {
            Ok(rule) => rule,
            Err(errors) => {
                let first = errors.first().map(ToString::to_string).unwrap_or_default();
                let does = match policy.effect {
                    Effect::Allow => "it never matches",
                    Effect::Deny => "it denies always",
                    Effect::Redact => "it masks always",
                    Effect::Require => "it asks for an approval always",
                };
                let reason = format!("its rule is not accepted any more, so {does}: {first}");
                findings.push(self.finding(Level::Warning, "refused", reason));
                return;
            }
        };
        let mut words = Vec::new();
        unknown_words(rule.root(), &mut words);
        for (fact, word) in words {
            let reason = format!("it compares `{fact}` with `{word}`, which is no {fact}");
            findings.push(self.finding(Level::Warning, "unknown-word", reason));
        }
        if self.never_matches() {
            let what = match policy.effect {
                Effect::Redact => "memory",
                Effect::Allow | Effect::Deny | Effect::Require => "resource",
            };
            let reason = format!("no action on any {what} can make its rule true");
            findings.push(self.finding(Level::Warning, "never-matches", reason));
            return;
        }
        let mut read = BTreeSet::new();
        rule.root().each_fact(&mut |fact| {
            read.insert(fact.clone());
        });
        for fact in read
            .iter()
            .filter(|fact| is_asked(fact) && !self.used.contains(fact))
        {
            let reason = format!("it reads `{fact}`, which never changes what the rule comes to");
            findings.push(self.finding(Level::Warning, "unused-fact", reason));
        }
        for fact in &read {
            if let Fact::Identity(IdentityFact::Claim(key)) = fact
                && !people.claims.contains_key(key)
            {
                let reason = format!("it reads `{fact}`, and no identity has that claim");
                findings.push(self.finding(Level::Note, "unused-fact", reason));
            }
        }
    }

    fn hidden(&self, by: &Self) -> Finding {
        let (mine, other) = (&self.entry.policy, &by.entry.policy);
        let name = &other.name;
        if mine.priority == other.priority && mine.effect != other.effect {
            let reason = format!(
                "`{name}` says the opposite of the same at priority {}, where the stricter always wins",
                other.priority
            );
            return self.finding(Level::Warning, "contradicts", reason);
        }
        let reason = format!(
            "`{name}` at priority {} is read before it and matches wherever it would",
            other.priority
        );
        self.finding(Level::Warning, "shadowed", reason)
    }
}

/// Facts that a request brings; the others are fixed by the policy itself.
fn is_asked(fact: &Fact) -> bool {
    !matches!(
        fact,
        Fact::Action | Fact::Resource | Fact::Identity(IdentityFact::Role)
    )
}

fn cell(entry: &Entry, action: Action, resource: Resource, used: &mut BTreeSet<Fact>) -> Cell {
    let Ok(rule) = &entry.rule else {
        return if entry.can_allow() {
            Cell::Never
        } else {
            Cell::Always
        };
    };
    if !entry.admits(action, resource) {
        return Cell::Never;
    }
    let role = &entry.policy.role;
    let open = |fact: &Fact| match fact {
        Fact::Action | Fact::Resource => false,
        Fact::Identity(IdentityFact::Role) => role.is_none(),
        Fact::Identity(_) | Fact::Request(_) => true,
        Fact::Memory(_) => resource == Resource::Memory,
        Fact::Target(_) => matches!(resource, Resource::Identity | Resource::Token),
    };
    // A role is a word like any other where it is open.
    let any = Role::new("any").ok();
    let Some(role) = role.as_ref().or(any.as_ref()) else {
        return Cell::May;
    };
    let Ok(facts) = Facts::from_json(action, resource, role, &Map::new()) else {
        return Cell::May;
    };
    let rest = residual(rule.root(), View::of(&facts), &open);
    match &rest {
        Node::Literal(Value::Bool(true)) => Cell::Always,
        Node::Literal(Value::Bool(false)) => Cell::Never,
        rest if entry.can_allow() && never_true(rest, &open) => Cell::Never,
        rest => {
            rest.each_fact(&mut |fact| {
                if open(fact) {
                    used.insert(fact.clone());
                }
            });
            // A deny that is never known denies always.
            let known = matches!(rest, Node::Literal(_)) || reads(rest, &open);
            if known { Cell::May } else { Cell::Always }
        }
    }
}

/// Finds comparisons of `action` and `resource` with words that are none.
fn unknown_words(node: &Node, words: &mut Vec<(Fact, String)>) {
    if let Node::Compare(compare) = node {
        let mut facts = compare.operands.iter().filter_map(|operand| match operand {
            Node::Fact(fact @ (Fact::Action | Fact::Resource)) => Some(fact),
            _ => None,
        });
        if let Some(fact) = facts.next() {
            let literals = compare.operands.iter().flat_map(|operand| match operand {
                Node::Literal(Value::Array(items)) => items.iter().collect(),
                Node::Literal(value) => vec![value],
                _ => Vec::new(),
            });
            for word in literals.filter_map(Value::as_str) {
                let known = match fact {
                    Fact::Action => word.parse::<Action>().is_ok(),
                    _ => word.parse::<Resource>().is_ok(),
                };
                if !known {
                    words.push((fact.clone(), word.chars().take(64).collect()));
                }
            }
        }
    }
    for child in node.children() {
        unknown_words(child, words);
    }
}

/// Which policies match always, or have the same rule, in the order they are read.
struct Cover<'a> {
    /// The first that always matches, for each role (none is `*`) and pair.
    always: HashMap<(Option<&'a Role>, usize), usize>,
    /// The first with this rule, for each role and by whether it allows.
    same: HashMap<(Option<&'a Role>, String, bool), usize>,
}

impl<'a> Cover<'a> {
    fn of(rows: &[Row<'a>]) -> Self {
        let (mut always, mut same) = (HashMap::new(), HashMap::new());
        // Behind one that asks for an approval others still count: for what is approved.
        let decides = |row: &&Row<'a>| row.entry.policy.effect != Effect::Require;
        for row in rows.iter().filter(decides) {
            let role = row.entry.policy.role.as_ref();
            let rule = row.entry.policy.rule.to_string();
            let allows = row.entry.can_allow();
            same.entry((role, rule, allows)).or_insert(row.place);
            for (pair, cell) in row.cells.iter().enumerate() {
                if matches!(cell, Cell::Always) {
                    always.entry((role, pair)).or_insert(row.place);
                }
            }
        }
        Self { always, same }
    }

    /// The policy that decides wherever this one would, if one does.
    fn hides(&self, row: &Row<'_>) -> Option<usize> {
        let role = row.entry.policy.role.as_ref();
        // A policy of one role is hidden by those of `*`, and not the other way round.
        let roles = if role.is_some() {
            vec![role, None]
        } else {
            vec![None]
        };
        let before = |place: &&usize| **place < row.place;
        let rule = row.entry.policy.rule.to_string();
        // Where a deny is not known it matches, and the same rule as an allow does not.
        let effects: &[bool] = match row.entry.can_allow() {
            true => &[false, true],
            false => &[false],
        };
        let same = roles
            .iter()
            .flat_map(|role| effects.iter().map(move |allows| (*role, *allows)))
            .filter_map(|(role, allows)| self.same.get(&(role, rule.clone(), allows)))
            .find(before);
        if let Some(place) = same {
            return Some(*place);
        }
        let mut hiding = None;
        for (pair, cell) in row.cells.iter().enumerate() {
            if matches!(cell, Cell::Never) {
                continue;
            }
            let found = roles
                .iter()
                .filter_map(|role| self.always.get(&(*role, pair)))
                .find(before)?;
            hiding = hiding.or(Some(*found));
        }
        hiding
    }
}

/// What the identities of a tenant have.
struct People {
    roles: BTreeSet<Role>,
    claims: BTreeMap<String, u64>,
}

impl People {
    fn of<'i>(identities: impl Iterator<Item = &'i Identity>) -> Self {
        let (mut roles, mut claims) = (BTreeSet::new(), BTreeMap::new());
        for identity in identities {
            roles.insert(identity.role.clone());
            for key in identity.claims.keys() {
                *claims.entry(key.clone()).or_insert(0) += 1;
            }
        }
        Self { roles, claims }
    }

    fn judge(&self, rows: &[Row<'_>], masking: &[Row<'_>], findings: &mut Vec<Finding>) {
        let mut read = BTreeSet::new();
        for row in rows.iter().chain(masking) {
            let Ok(rule) = &row.entry.rule else { continue };
            rule.root().each_fact(&mut |fact| {
                if let Fact::Identity(IdentityFact::Claim(key)) = fact {
                    read.insert(key.clone());
                }
            });
            if let Some(role) = &row.entry.policy.role
                && !self.roles.contains(role)
            {
                let reason = format!("no identity has the role `{role}`");
                findings.push(row.finding(Level::Note, "unused-role", reason));
            }
        }
        let note = |kind, reason| Finding {
            level: Level::Note,
            kind,
            policy: None,
            reason,
        };
        for (key, count) in self.claims.iter().filter(|(key, _)| !read.contains(*key)) {
            let have = match count {
                1 => "an identity has".to_owned(),
                many => format!("{many} identities have"),
            };
            let reason = format!("{have} the claim `{key}`, and no policy reads it");
            findings.push(note("unused-claim", reason));
        }
        for role in &self.roles {
            if let Some(left) = left_to_default(role, rows) {
                let reason =
                    format!("for the role `{role}` no policy speaks of {left}; the default denies");
                findings.push(note("default", reason));
            }
        }
    }
}

/// The pairs that no policy of a role can match, as words.
fn left_to_default(role: &Role, rows: &[Row<'_>]) -> Option<String> {
    let mut spoken = vec![false; pairs().count()];
    for row in rows {
        let of = &row.entry.policy.role;
        if of.as_ref().is_none_or(|of| of == role) {
            for (pair, cell) in row.cells.iter().enumerate() {
                spoken[pair] |= !matches!(cell, Cell::Never);
            }
        }
    }
    let mut left: BTreeMap<Resource, Vec<&str>> = BTreeMap::new();
    for ((action, resource), _) in pairs().zip(&spoken).filter(|(_, spoken)| !**spoken) {
        left.entry(resource).or_default().push(action.as_str());
    }
    let all = Action::ALL.len() - 1;
    let words: Vec<String> = left
        .into_iter()
        .map(|(resource, actions)| match actions.len() {
            many if many == all => format!("{resource}: anything"),
            _ => format!("{resource}: {}", actions.join(" ")),
        })
        .collect();
    (!words.is_empty()).then(|| words.join(", "))
}
