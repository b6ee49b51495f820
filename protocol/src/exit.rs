//! Exit codes of every Manushya program: one table, used by the CLI, its help and its tests.

/// One row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExitCode {
    /// What the process exits with.
    pub code: u8,
    /// What it means, for people.
    pub meaning: &'static str,
}

macro_rules! exit_codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $meaning:literal;)*) => {
        $($(#[$doc])* pub const $name: u8 = $code;)*

        /// Every exit code, in order.
        pub const TABLE: &[ExitCode] = &[$(ExitCode { code: $code, meaning: $meaning }),*];
    };
}

exit_codes! {
    /// Done.
    OK = 0, "ok";
    /// Failed, for a reason that has no code of its own.
    FAILURE = 1, "failure";
    /// The command line or the input is wrong.
    USAGE = 2, "usage: the command line or the input is wrong";
    /// Some of it was done, some of it was not.
    PARTIAL = 3, "partial: some of it was done, some was not";
    /// No valid credential.
    UNAUTHENTICATED = 4, "not authenticated";
    /// A policy says no.
    DENIED = 5, "denied by policy";
    /// No such thing, or none that the caller may know of.
    NOT_FOUND = 6, "not found";
    /// It exists already, has changed, or is in use.
    CONFLICT = 7, "conflict: it exists already, has changed, or is in use";
    /// No daemon answers.
    UNREACHABLE = 8, "daemon unreachable";
    /// An integrity check failed.
    INTEGRITY = 9, "integrity check failed";
    /// The deadline passed; it may have been done all the same.
    TIMED_OUT = 10, "timed out";
    /// Interrupted by the user.
    INTERRUPTED = 130, "interrupted";
}
