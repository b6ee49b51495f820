//! Prints what changes, line by line, for screen readers, dumb terminals and logs.

use std::io::Write as _;
use std::time::Duration;

use manushya_protocol::error::WireError;
use tokio::sync::mpsc::unbounded_channel;

use super::{Hands, Options, ending_signal, now};
use crate::model::items::Event;
use crate::model::{Link, Model, attention};
use crate::msg::Msg;
use crate::text::{bytes, clean, clock, count};
use crate::update;

/// What was printed.
#[derive(Default)]
struct Told {
    link: Option<Link>,
    status: bool,
    seq: u64,
    attention: Vec<String>,
}

/// Runs until a signal ends it.
pub async fn run(options: Options) -> Result<u8, WireError> {
    let (inbox, mut came) = unbounded_channel();
    let mut model = Model::new(options.settings, now(), (80, 24));
    model.connection.socket = options.target.socket.display().to_string();
    let mut hands = Hands::new(options.target, inbox, false);
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    let mut ending = std::pin::pin!(ending_signal());
    let mut told = Told::default();
    let mut effects = update::start(&mut model);
    loop {
        for effect in effects.drain(..) {
            // What needs a terminal is left out.
            let _ = hands.act(effect);
        }
        let mut out = String::new();
        told.tell(&model, &mut out);
        // Whoever reads it may stop reading.
        if std::io::stdout()
            .write_all(out.as_bytes())
            .and_then(|()| std::io::stdout().flush())
            .is_err()
        {
            return Ok(0);
        }
        let msg = tokio::select! {
            Some(came) = came.recv() => hands.take(came),
            _ = tick.tick() => Msg::Tick(now()),
            code = &mut ending => return Ok(code),
        };
        effects = update::update(&mut model, msg);
    }
}

impl Told {
    fn tell(&mut self, model: &Model, out: &mut String) {
        let time = clock(model.now, &model.settings.zone);
        if self.link != Some(model.connection.link) {
            self.link = Some(model.connection.link);
            let word = match model.connection.link {
                Link::Connecting => "connecting".to_owned(),
                Link::Connected => {
                    format!("connected to daemon {}", clean(&model.connection.daemon))
                }
                Link::Stale => "the daemon does not answer; what is known is old".to_owned(),
                Link::Reconnecting => "the connection is lost; trying again".to_owned(),
                Link::Offline => "no daemon answers; try: manushyactl up".to_owned(),
            };
            out.push_str(&format!("{time} {word}\n"));
        }
        if let (false, Some(status)) = (self.status, &model.status) {
            self.status = true;
            out.push_str(&format!(
                "{time} daemon {} {}\n",
                status.version, status.state
            ));
            if let Some(host) = &status.host {
                let line = format!(
                    "{time} {} memories, {} identities, {} tokens, {} policies, {} audit entries, {} on disk\n",
                    count(host.memories),
                    count(host.identities),
                    count(host.tokens),
                    count(host.policies),
                    count(host.audit_size),
                    bytes(host.store_bytes)
                );
                out.push_str(&line);
            }
        }
        self.events(model, out);
        let found: Vec<String> = attention::of(model).into_iter().map(|it| it.text).collect();
        for text in found.iter().filter(|text| !self.attention.contains(text)) {
            out.push_str(&format!("{time} attention: {}\n", clean(text)));
        }
        self.attention = found;
    }

    fn events(&mut self, model: &Model, out: &mut String) {
        for event in &model.audit.feed.items {
            match event {
                Event::Gap {
                    before,
                    count: many,
                } if *before > self.seq => {
                    out.push_str(&format!(
                        "gap: {} entries before {} are left out\n",
                        count(*many),
                        count(*before)
                    ));
                }
                Event::Entry(entry) if entry.seq.0 > self.seq => {
                    self.seq = entry.seq.0;
                    let line = format!(
                        "{} {} {}: {} {}.{}, by {}, outcome {}\n",
                        clock(entry.time, &model.settings.zone),
                        entry.seq,
                        entry.decision,
                        clean(&entry.actor),
                        entry.resource,
                        entry.action,
                        clean(entry.policy.as_deref().unwrap_or("no policy")),
                        entry.outcome
                    );
                    out.push_str(&line);
                }
                _ => {}
            }
        }
    }
}
