//! What the policies must do, and above all what they must not.

mod conformance;
mod decide;
mod fence;
mod open;
mod oracle;
mod property;
mod three_valued;
mod world;
