//! Everything held about an identity, page by page (right of access): from one state of the store, with
//! a manifest of all pages that is signed.

mod parts;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use data_encoding::HEXLOWER;
use manushya_core::audit::subject::MANIFEST;
use manushya_core::audit::{ExportManifest, ExportPart};
use manushya_core::command::Context;
use manushya_core::decide;
use manushya_core::decide::Refusal;
use manushya_core::decide::access::Access;
use manushya_core::model::{Action, Hash, Identity, Resource};
use manushya_core::view::View as _;
use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::id::{IdentityId, MemoryId};
use manushya_protocol::unit::{AuditSeq, UnixMillis};
use manushya_protocol::v1::subject::{SubjectExport, SubjectExported, SubjectManifest};
use parking_lot::Mutex;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::receipt::origin;
use super::view::ReadView;
use super::{Service, page, unreadable};
use parts::Current;

/// How many exports are read at once.
const EXPORTS_MAX: usize = 4;
/// After how long without a page an export is given up: it keeps a state of the store from going.
const IDLE: Duration = Duration::from_secs(120);
/// How many bytes of lines a page has, unless one alone is longer.
const PAGE_BYTES: usize = 256 << 10;

/// The parts, in the order of the file.
const PARTS: &[Part] = &[
    Part::Identity,
    Part::Invitations,
    Part::Tokens,
    Part::Approvals,
    Part::Policies,
    Part::Memories,
    Part::Holds,
    Part::Purges,
    Part::Audit,
];

/// A kind of thing that is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Identity,
    Invitations,
    Tokens,
    Approvals,
    Policies,
    Memories,
    Holds,
    Purges,
    Audit,
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Invitations => "invitations",
            Self::Tokens => "tokens",
            Self::Approvals => "approvals",
            Self::Policies => "policies",
            Self::Memories => "memories",
            Self::Holds => "holds",
            Self::Purges => "purges",
            Self::Audit => "audit",
        }
    }

    /// What one has to be allowed to read for it, beside exporting the identity. Memories are decided
    /// one by one.
    fn reads(self) -> Option<Resource> {
        match self {
            Self::Identity | Self::Memories => None,
            Self::Invitations | Self::Tokens => Some(Resource::Token),
            Self::Approvals | Self::Policies => Some(Resource::Policy),
            Self::Holds | Self::Purges => Some(Resource::System),
            Self::Audit => Some(Resource::Audit),
        }
    }

    /// Whether the caller may read what is in it at large.
    fn is_open(self, view: &ReadView, context: &Context) -> bool {
        self.reads().is_none_or(|what| {
            let access = Access::begin(view.directory(), context, Action::Read, what);
            access.and_then(|mut access| access.require()).is_ok()
        })
    }
}

/// The exports that are being read.
#[derive(Default)]
pub struct Exports(Mutex<HashMap<[u8; 16], Export>>);

impl Exports {
    /// Gives up those that nobody reads on.
    pub fn forget_idle(&self) {
        let mut open = self.0.lock();
        open.retain(|_, export| export.touched.elapsed() < IDLE);
    }

    fn put(&self, id: [u8; 16], export: Export) -> Result<(), WireError> {
        self.forget_idle();
        let mut open = self.0.lock();
        if open.len() >= EXPORTS_MAX {
            return Err(WireError::new(
                ErrorCode::ResourceExhausted,
                "exports are being read already",
            )
            .reason(format!("{EXPORTS_MAX} at once are the most"))
            .hint("wait for one of them"));
        }
        open.insert(id, export);
        Ok(())
    }

    /// Takes the export that a cursor names: whoever reads on has to be who started it.
    fn take(&self, cursor: &str, by: IdentityId, of: IdentityId) -> Option<([u8; 16], Export)> {
        let (id, number) = cursor.split_once('.')?;
        let id: [u8; 16] = HEXLOWER.decode(id.as_bytes()).ok()?.try_into().ok()?;
        let number: u64 = number.parse().ok()?;
        let mut open = self.0.lock();
        let export = open.get(&id)?;
        let mine = export.by == by && export.subject.id == of && export.pages == number;
        mine.then(|| open.remove(&id)).flatten().map(|it| (id, it))
    }
}

/// One that is being read.
struct Export {
    view: ReadView,
    subject: Arc<Identity>,
    by: IdentityId,
    at: UnixMillis,
    touched: Instant,
    pages: u64,
    /// Lines that are made and not given yet.
    pending: VecDeque<String>,
    /// Which part is next, and how far it is.
    part: usize,
    begun: bool,
    memories: std::vec::IntoIter<(MemoryId, u32)>,
    current: Option<Current>,
    audited: AuditSeq,
    /// Ids of what is the subject's: entries of the log that name one concern it.
    things: HashSet<[u8; 16]>,
    /// What is signed at the end.
    told: Vec<ExportPart>,
    redacted: u64,
    hash: Sha256,
    canaries: Vec<MemoryId>,
}

impl Export {
    fn new(view: ReadView, context: &Context, subject: Arc<Identity>) -> Result<Self, WireError> {
        let (tenant, id) = (subject.tenant, subject.id);
        let owned = view.memories_of(tenant, id);
        let owned = owned.map_err(|error| unreadable(&error))?;
        let mut things: HashSet<[u8; 16]> = owned.iter().map(|(id, _)| id.to_bytes()).collect();
        things.insert(id.to_bytes());
        let tokens = view.directory().tokens(tenant);
        let tokens = tokens.filter(|token| token.identity == id);
        things.extend(tokens.map(|token| token.id.to_bytes()));
        Ok(Self {
            view,
            by: context.actor.identity.id,
            subject,
            at: context.now,
            touched: Instant::now(),
            pages: 0,
            pending: VecDeque::new(),
            part: 0,
            begun: false,
            memories: owned.into_iter(),
            current: None,
            audited: AuditSeq(0),
            things,
            told: Vec::new(),
            redacted: 0,
            hash: Sha256::new(),
            canaries: Vec::new(),
        })
    }

    /// Counts a line, and keeps it for a page.
    fn add(&mut self, mut line: serde_json::Map<String, Value>) {
        let name = PARTS.get(self.part).map_or(MANIFEST, |part| part.name());
        line.insert("part".to_owned(), name.into());
        let line = Value::Object(line).to_string();
        self.hash.update(&line);
        self.hash.update(b"\n");
        if let Some(part) = self.told.last_mut() {
            part.lines += 1;
        }
        self.pending.push_back(line);
    }

    /// Notes that something of the part is left out.
    fn withhold(&mut self) {
        if let Some(part) = self.told.last_mut() {
            part.whole = false;
        }
    }

    /// The lines of the next page; none are left behind it if the second says so.
    fn page(
        &mut self,
        service: &Service,
        now: &ReadView,
        context: &Context,
    ) -> Result<(Vec<String>, bool), WireError> {
        let parts = PARTS.iter().zip(&self.told);
        let mut lost = parts.filter(|(part, told)| told.whole && !part.is_open(now, context));
        if lost.next().is_some() {
            return Err(WireError::new(
                ErrorCode::Conflict,
                "what may be exported has changed since the export began",
            )
            .reason("something it has may not be read any more")
            .hint("start it again"));
        }
        let (mut lines, mut bytes) = (Vec::new(), 0);
        let mut steps = 0;
        loop {
            while let Some(line) = self.pending.pop_front() {
                bytes += page::json_bytes(&line);
                if bytes > PAGE_BYTES && !lines.is_empty() {
                    self.pending.push_front(line);
                    return Ok((lines, false));
                }
                lines.push(line);
            }
            let Some(&part) = PARTS.get(self.part) else {
                return Ok((lines, true));
            };
            if !self.begun {
                self.begun = true;
                let may = part.is_open(now, context);
                self.told.push(ExportPart {
                    name: part.name().to_owned(),
                    lines: 0,
                    whole: may,
                });
                if !may {
                    (self.part, self.begun) = (self.part + 1, false);
                    continue;
                }
            }
            if self.step(part, service, now, context)? {
                (self.part, self.begun) = (self.part + 1, false);
            }
            steps += 1;
            // Much may be looked at for few lines: a page has an end all the same.
            if steps >= parts::STEPS_MAX {
                return Ok((lines, false));
            }
        }
    }

    /// What is signed, once all lines are given.
    fn manifest(self, service: &Service) -> Result<SubjectManifest, WireError> {
        let head = &self.view.published.head;
        let signer = service.log_signer()?;
        let manifest = ExportManifest {
            home: service.home_id,
            tenant: self.subject.tenant,
            subject: self.subject.id,
            exported_by: self.by,
            exported_at: self.at,
            parts: self.told,
            redacted: self.redacted,
            sha256: Hash(self.hash.finalize().into()),
            audit_size: head.size(),
            audit_root: head.root(),
        };
        let origin = origin()?;
        Ok(SubjectManifest {
            part: MANIFEST.to_owned(),
            whole: manifest.is_whole(),
            note: manifest.sign(&origin, &signer.key),
            checkpoint: head.checkpoint(origin).sign(&signer.key),
            hand_overs: signer.hand_overs()?,
        })
    }
}

fn gone() -> WireError {
    WireError::new(ErrorCode::NotFound, "no such export is being read")
        .reason("it was read to its end, by another, or not for two minutes")
        .hint("start it again: manushyactl identity export IDENTITY")
}

impl Service {
    /// Gives a page of what is held about an identity. Each is decided and audited.
    ///
    /// # Errors
    ///
    /// What the deciding said; `NOT_FOUND` if no such export is being read, `RESOURCE_EXHAUSTED` if
    /// too many are.
    pub async fn subject_export(
        &self,
        context: Context,
        request: SubjectExport,
    ) -> Result<SubjectExported, WireError> {
        let read = |view: &ReadView, context: &Context| {
            let (access, subject) = decide::identity::require(
                view,
                context,
                Action::Export,
                Resource::Identity,
                &request.identity,
            )?;
            let failed = |error| Refusal::allowed(&access.audit, error);
            let by = context.actor.identity.id;
            let found = match &request.export {
                Some(cursor) => self.exports.take(cursor, by, subject.id).ok_or_else(gone),
                None => self
                    .view()
                    .and_then(|own| Export::new(own, context, subject.clone()))
                    .map(|export| (self.new_export_id(), export)),
            };
            let (id, mut export) = found.map_err(failed)?;
            let (lines, done) = export.page(self, view, context).map_err(failed)?;
            let canaries = std::mem::take(&mut export.canaries);
            (export.pages, export.touched) = (export.pages + 1, Instant::now());
            let mut page = SubjectExported {
                subject: subject.id,
                export: format!("{}.{}", HEXLOWER.encode(&id), export.pages),
                written: export.told.iter().map(|part| part.lines).sum::<u64>()
                    - export.pending.len() as u64,
                lines,
                manifest: None,
            };
            match done {
                true => page.manifest = Some(export.manifest(self).map_err(failed)?),
                false => self.exports.put(id, export).map_err(failed)?,
            }
            let count = page.lines.len() as u64;
            Ok(access.plan(Vec::new(), count, (page, canaries)))
        };
        let (page, canaries) = self.read(&context, read).await?;
        self.alarm(&context, Action::Export, canaries).await?;
        Ok(page)
    }

    fn new_export_id(&self) -> [u8; 16] {
        let mut id = [0; 16];
        self.ports.entropy.fill(&mut id);
        id
    }
}
