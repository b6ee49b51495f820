//! [`Directory`] against maps that are built from all writes by plain insertion.

use std::sync::Arc;

use manushya_protocol::id::{IdentityId, PlanId, PolicyId, TenantId, TokenId};
use proptest::prelude::*;

use super::world::{Model, World};
use crate::model::{ExternalId, Identity, Policy, PolicyName, Role, Tenant, TenantName};
use crate::plan::Write;

const NAMES: [&str; 4] = ["a", "b", "c", "default"];

/// Every lookup there is, compared with a search through the model.
pub fn check(model: &Model, names: &[&str]) {
    let directory = &model.directory;
    let of = |a: TenantId, b: TenantId| a == b;
    assert!(directory.tenants().eq(model.tenants.values()));
    assert_eq!(directory.identity_count(), model.identities.len());
    for name in names {
        let named = model.tenants.values().find(|it| it.name.as_str() == *name);
        assert_eq!(directory.tenant_by_name(name), named, "tenant {name}");
    }
    for &tenant in model.tenants.keys() {
        assert_eq!(directory.tenant(tenant), model.tenants.get(&tenant));
        let identities = model.identities.values().filter(|it| of(it.tenant, tenant));
        assert!(directory.identities(tenant).eq(identities.clone()));
        let tokens = model.tokens.values().filter(|it| of(it.tenant, tenant));
        assert!(directory.tokens(tenant).eq(tokens));
        let policies = model.policies.values().filter(|it| of(it.tenant, tenant));
        assert!(directory.policies(tenant).eq(policies.clone()));
        let plans = model.plans.values().filter(|it| of(it.tenant, tenant));
        assert!(directory.plans(tenant).eq(plans));
        let kept = model.revisions.values();
        let revisions = kept.filter(|it| of(it.policy.tenant, tenant));
        assert!(directory.revisions(tenant).eq(revisions));
        let active = policies.clone().filter(|it| it.is_active).count();
        assert_eq!(directory.policy_set(tenant).len(), active);
        for name in names {
            let found = directory.identity_by_ref(tenant, name);
            let mut named = identities.clone();
            let named = named.find(|it| it.external_id.as_str() == *name);
            assert_eq!(found, named, "identity {name}");
            let found = directory.policy_by_ref(tenant, name);
            let named = policies.clone().find(|it| it.name.as_str() == *name);
            assert_eq!(found, named, "policy {name}");
        }
        for identity in identities {
            let by_id = directory.identity_by_ref(tenant, &identity.id.to_string());
            assert_eq!(by_id, Some(identity));
            assert!(directory.has_active_role(tenant, &identity.role) || !identity.is_active);
        }
    }
}

/// A write that renames, replaces or removes something; names are unique, as the deciding keeps them.
#[derive(Clone, Copy, Debug)]
struct Step {
    noun: u8,
    tenant: u8,
    id: u8,
    name: usize,
    remove: bool,
}

fn step() -> impl Strategy<Value = Step> {
    (
        0_u8..3,
        0_u8..2,
        0_u8..4,
        0..NAMES.len(),
        prop::bool::weighted(0.2),
    )
        .prop_map(|(noun, tenant, id, name, remove)| Step {
            noun,
            tenant,
            id,
            name,
            remove,
        })
}

/// The write, unless it would give one name to two.
fn write(model: &Model, like: &Model, step: Step) -> Option<Write> {
    let name = NAMES[step.name];
    let tenant = TenantId::from_bytes([step.tenant + 1; 16]);
    match step.noun {
        0 => {
            let taken = model.directory.tenant_by_name(name);
            if step.remove {
                return Some(Write::EraseTenant(tenant));
            }
            let mut new = Tenant::clone(like.tenants.values().next()?);
            (new.id, new.name) = (tenant, TenantName::new(name).ok()?);
            (taken.is_none_or(|it| it.id == new.id)).then(|| Write::PutTenant(Arc::new(new)))
        }
        1 => {
            let id = IdentityId::from_bytes([step.id; 16]);
            if step.remove {
                return Some(Write::EraseIdentity(tenant, id));
            }
            let mut new = Identity::clone(like.identities.values().next()?);
            (new.id, new.tenant) = (id, tenant);
            new.external_id = ExternalId::new(name).ok()?;
            let taken =
                |it: &&Arc<Identity>| it.tenant == tenant && it.external_id == new.external_id;
            let taken = model.identities.values().find(taken);
            (taken.is_none_or(|it| it.id == id)).then(|| Write::PutIdentity(Arc::new(new)))
        }
        _ => {
            let id = PolicyId::from_bytes([step.id; 16]);
            if step.remove {
                return Some(Write::DropPolicy(tenant, id));
            }
            let mut new = Policy::clone(like.policies.values().next()?);
            (new.id, new.tenant) = (id, tenant);
            new.name = PolicyName::new(name).ok()?;
            new.role = Some(Role::new(name).ok()?);
            new.is_active = step.id.is_multiple_of(2);
            let taken = |it: &&Arc<Policy>| it.tenant == tenant && it.name == new.name;
            let taken = model.policies.values().find(taken);
            (taken.is_none_or(|it| it.id == id)).then(|| Write::PutPolicy(Arc::new(new)))
        }
    }
}

proptest! {
    #[test]
    fn lookups_equal_a_search_through_all_writes(steps in prop::collection::vec(step(), 1..60)) {
        let mut world = World::new();
        world.found("like");
        let mut model = Model::default();
        for step in steps {
            if let Some(write) = write(&model, &world.model, step) {
                model.apply(&[write]);
                // Nothing of a tenant outlives it, as the store has it.
                let lone = |tenant: TenantId| !model.tenants.contains_key(&tenant);
                let gone: Vec<Write> = (model.identities.keys())
                    .filter(|(tenant, _)| lone(*tenant))
                    .map(|(tenant, id)| Write::EraseIdentity(*tenant, *id))
                    .chain((model.policies.keys())
                        .filter(|(tenant, _)| lone(*tenant))
                        .map(|(tenant, id)| Write::DropPolicy(*tenant, *id)))
                    .collect();
                model.apply(&gone);
                check(&model, &NAMES);
            }
        }
    }

    /// One by one or all at once, it is the same.
    #[test]
    fn order_of_batches_does_not_matter(steps in prop::collection::vec(step(), 1..40)) {
        let mut world = World::new();
        world.found("like");
        let (mut one, mut writes) = (Model::default(), Vec::new());
        for step in steps {
            if let Some(write) = write(&one, &world.model, step) {
                one.apply(std::slice::from_ref(&write));
                writes.push(write);
            }
        }
        let mut all = Model::default();
        all.apply(&writes);
        for tenant in [1, 2].map(|n| TenantId::from_bytes([n; 16])) {
            let (a, b) = (&one.directory, &all.directory);
            prop_assert!(a.identities(tenant).eq(b.identities(tenant)));
            prop_assert!(a.policies(tenant).eq(b.policies(tenant)));
            for name in NAMES {
                prop_assert_eq!(a.tenant_by_name(name), b.tenant_by_name(name));
                prop_assert_eq!(a.identity_by_ref(tenant, name), b.identity_by_ref(tenant, name));
                prop_assert_eq!(a.policy_by_ref(tenant, name), b.policy_by_ref(tenant, name));
            }
        }
    }
}

#[test]
fn unknown_ids_and_texts_find_nothing() {
    let mut world = World::new();
    let here = world.found("default");
    let directory = &world.model.directory;
    for text in [
        "",
        "idn_",
        "pol_x",
        "nobody",
        "no such name",
        &"x".repeat(5000),
    ] {
        assert!(directory.identity_by_ref(here, text).is_none());
        assert!(directory.policy_by_ref(here, text).is_none());
        assert!(directory.tenant_by_name(text).is_none());
    }
    let nobody = [8; 16];
    let nowhere = TenantId::from_bytes(nobody);
    assert!(directory.token(here, TokenId::from_bytes(nobody)).is_none());
    assert!(directory.plan(here, PlanId::from_bytes(nobody)).is_none());
    assert!(directory.policy_set(nowhere).is_empty());
    assert!(directory.identities(nowhere).next().is_none());
}
