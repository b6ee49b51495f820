//! The connection: found, lost, found again, and what is asked by the clock.

use manushya_protocol::error::WireError;
use manushya_protocol::unit::UnixMillis;
use manushya_protocol::v1::hello::Welcome;

use super::{Out, ask};
use crate::effect::{Ask, Effect};
use crate::keymap::Screen;
use crate::model::list::Load;
use crate::model::{Link, Model};
use crate::text::Role;

/// How often the status is asked for, in milliseconds.
const STATUS_MILLIS: i64 = 2_000;
/// Without a word for so long, what is shown counts as old, in milliseconds.
const STALE_MILLIS: i64 = 6_000;
/// What changed is asked for again at most this often, in milliseconds.
const REFRESH_MILLIS: i64 = 5_000;
/// How often the daemon's log is read again while it is shown, in milliseconds.
const LOG_MILLIS: i64 = 2_000;
/// From so many failures in a row on we are offline.
const OFFLINE_ATTEMPTS: u32 = 5;
/// The first and the longest wait before connecting again, in milliseconds.
const BACKOFF_MILLIS: (u64, u64) = (250, 5_000);

/// The daemon said hello.
pub fn connected(model: &mut Model, welcome: Welcome, out: &mut Out) {
    let connection = &mut model.connection;
    let again = connection.heard.is_some();
    connection.link = Link::Connected;
    connection.attempt = 0;
    connection.error = None;
    connection.retry_at = None;
    connection.heard = Some(model.now);
    connection.daemon = welcome.daemon_version;
    model.who = welcome.caller;
    model.traffic.interrupt();
    if again {
        model.tell(Role::Ok, "connected again");
    }
    status(model, out);
    ask::events(model, out);
    ask::load(model, model.screen, out);
    if matches!(model.tokens.list.load, Load::Idle) {
        ask::load(model, Screen::Tokens, out);
    }
}

/// The daemon did not say hello.
pub fn failed(model: &mut Model, error: WireError, out: &mut Out) {
    let connection = &mut model.connection;
    connection.attempt = connection.attempt.saturating_add(1);
    let never = connection.heard.is_none();
    let offline = never || connection.attempt >= OFFLINE_ATTEMPTS;
    connection.link = if offline {
        Link::Offline
    } else {
        Link::Reconnecting
    };
    connection.error = Some(error);
    let doublings = connection.attempt.min(8);
    let wait = (BACKOFF_MILLIS.0 << doublings).min(BACKOFF_MILLIS.1);
    connection.retry_at = Some(model.now.plus_millis(wait.cast_signed()));
    out.push(Effect::Connect(wait));
}

/// The connection ended.
pub fn lost(model: &mut Model, error: &WireError, out: &mut Out) {
    if !model.is_connected() {
        return;
    }
    model.connection.link = Link::Reconnecting;
    model.connection.attempt = 0;
    model.connection.error = Some(error.clone());
    model.connection.retry_at = Some(model.now.plus_millis(BACKOFF_MILLIS.0.cast_signed()));
    out.push(Effect::Connect(BACKOFF_MILLIS.0));
}

/// The daemon answered something.
pub fn heard(model: &mut Model) {
    model.connection.heard = Some(model.now);
    if model.connection.link == Link::Stale {
        model.connection.link = Link::Connected;
    }
}

fn status(model: &mut Model, out: &mut Out) {
    model.asked_status = model.now;
    model.awaited_status = Some(ask::call(model, Ask::Status, out));
}

/// A second went by.
pub fn tick(model: &mut Model, now: UnixMillis, out: &mut Out) {
    model.now = now;
    model.toasts.retain(|toast| toast.until > now);
    if model.write_until.is_some_and(|until| until <= now) {
        model.write_until = None;
        model.tell(Role::Warn, "write mode has ended; ctrl-w arms it again");
    }
    if !model.is_connected() {
        return;
    }
    let silent = now.0 - model.connection.heard.map_or(0, |heard| heard.0);
    if silent >= STALE_MILLIS && model.awaited_status.is_some() {
        model.connection.link = Link::Stale;
    }
    if model.awaited_status.is_none() && now.0 - model.asked_status.0 >= STATUS_MILLIS {
        status(model, out);
    }
    if model.is_reading_log() && model.system.awaited_log.is_none() && now.0 % LOG_MILLIS < 1_000 {
        model.system.awaited_log = Some(ask::call(model, Ask::Log, out));
    }
    let is_free = model.overlay.is_none() && model.memories.query.is_none();
    if is_free && ask::is_outdated(model, REFRESH_MILLIS) {
        ask::load(model, model.screen, out);
    }
}
