//! Who may do what: JSON Logic rules, three-valued, denied by default.
//!
//! A [`Rule`] is a policy's JSON Logic that passed the fence. [`Facts`] are what a rule can read;
//! they come from the daemon, never from a client. A [`PolicySet`] holds the policies of one tenant
//! and decides; [`PolicySet::scope`] decides once for a whole search what can be decided without a
//! memory. `docs/policies.md` tells the same to those who write policies.
//!
//! `jsonlogic-rs` fails open: an operator it does not know is true, and a missing attribute
//! compares as 0. So the fence admits few operators, a walker of our own does
//! `and or ! !! if some all none` in Kleene's three-valued logic (S. C. Kleene, Introduction to
//! Metamathematics, section 64), and the library is asked only to compare values that are known to
//! be there and to be comparable.

mod bounds;
mod engine;
mod error;
mod eval;
mod explain;
mod fact;
mod facts;
mod filter;
mod lint;
mod mask;
mod node;
mod open;
mod partial;
mod rule;
mod scope;
mod set;
mod starter;
#[cfg(test)]
mod tests;
mod truth;
mod value;

pub use error::RuleError;
pub use fact::{Fact, IdentityFact, MemoryFact, RequestFact, TargetFact};
pub use facts::{Facts, IdentityFacts, MemoryFacts, RequestFacts, TargetFacts};
pub use filter::Filter;
pub use lint::{Finding, Level, pairs};
pub use mask::{Mask, Masking, REDACTED};
pub use open::{Answer, Certainty, Open};
pub use rule::{Reads, Rule};
pub use scope::{Candidates, Forbidden, SearchScope};
pub use set::{PolicySet, Reason, Verdict};
pub use starter::{StarterPolicy, starter_policies};
pub use truth::{Missing, Truth};
