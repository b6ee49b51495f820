//! Tokens as bytes: access tokens, API keys and login sessions. None of them holds a secret.

use manushya_core::model::{
    Action, ApiKey, Kind, Limits, LoginSession, Namespace, Resource, Scope, Token, TokenKind, Uses,
};
use manushya_protocol::id::{IdentityId, TenantId, TokenId};
use manushya_protocol::limits;
use zeroize::Zeroizing;

use super::Malformed;
use super::bytes::{Reader, Writer};
use super::directory::{close, read_moment, read_optional_text, write_optional_text};
use crate::store::error::StoreError;

const ACCESS: u8 = 0;
const API_KEY: u8 = 1;
const SESSION: u8 = 2;

pub(in crate::store) fn encode_token(token: &Token) -> Result<Zeroizing<Vec<u8>>, StoreError> {
    if token.scopes.len() > limits::SCOPES_MAX || token.limits.kinds.len() > limits::TOKEN_TYPES_MAX
    {
        return Err(StoreError::Refused {
            what: "the token has too many scopes or types",
        });
    }
    let texts = [&token.label, &token.purpose];
    let texts: usize = texts.into_iter().flatten().map(String::len).sum();
    let mut out = Writer::with_capacity(1024 + texts);
    out.raw(&token.identity.to_bytes());
    out.count(token.scopes.len());
    for scope in &token.scopes {
        out.u8(scope.resource.map_or(0, Resource::code));
        out.u8(scope.action.map_or(0, Action::code));
    }
    write_optional_text(&mut out, token.label.as_ref());
    out.u32(token.epoch);
    out.i64(token.issued_at.0);
    out.i64(token.expires_at.0);
    out.option(token.revoked_at, |out, at| out.i64(at.0));
    out.option(token.limits.namespace.as_ref(), |out, namespace| {
        out.text(namespace.as_str());
    });
    out.count(token.limits.kinds.len());
    for kind in &token.limits.kinds {
        out.text(kind.as_str());
    }
    out.option(token.uses, |out, uses| {
        out.u32(uses.max);
        out.u32(uses.left);
    });
    write_optional_text(&mut out, token.purpose.as_ref());
    out.option(token.parent, |out, parent| out.raw(&parent.to_bytes()));
    write_kind(&mut out, &token.kind);
    close("the token", out)
}

fn write_kind(out: &mut Writer, kind: &TokenKind) {
    match kind {
        TokenKind::Access => out.u8(ACCESS),
        TokenKind::ApiKey(key) => {
            out.u8(API_KEY);
            out.raw(&key.tag);
            out.option(key.last_used_at, |out, at| out.i64(at.0));
        }
        TokenKind::Session(session) => {
            out.u8(SESSION);
            out.u32(session.generation);
            out.raw(&session.tag);
            out.option(session.retry_tag, |out, tag| out.raw(&tag));
            out.option(session.peer_uid, |out, uid| out.u32(uid));
            out.option(session.last_used_at, |out, at| out.i64(at.0));
        }
    }
}

pub(in crate::store) fn decode_token(
    tenant: TenantId,
    id: TokenId,
    plaintext: &[u8],
) -> Result<Token, Malformed> {
    let mut bytes = Reader::new(plaintext);
    let identity = IdentityId::from_bytes(bytes.array()?);
    let count = bytes.count(limits::SCOPES_MAX)?;
    let scopes = (0..count)
        .map(|_| read_scope(&mut bytes))
        .collect::<Result<_, _>>()?;
    let token = Token {
        id,
        tenant,
        identity,
        scopes,
        label: read_optional_text(&mut bytes)?,
        epoch: bytes.u32()?,
        issued_at: read_moment(&mut bytes)?,
        expires_at: read_moment(&mut bytes)?,
        revoked_at: bytes.option(read_moment)?,
        limits: read_limits(&mut bytes)?,
        uses: bytes.option(|bytes| {
            Ok(Uses {
                max: bytes.u32()?,
                left: bytes.u32()?,
            })
        })?,
        purpose: read_optional_text(&mut bytes)?,
        parent: bytes.option(|bytes| Ok(TokenId::from_bytes(bytes.array()?)))?,
        kind: read_kind(&mut bytes)?,
    };
    bytes.finish()?;
    Ok(token)
}

fn read_limits(bytes: &mut Reader<'_>) -> Result<Limits, Malformed> {
    let namespace = bytes.option(|bytes| {
        let text = bytes.text(limits::NAMESPACE_BYTES_MAX)?;
        Ok(Namespace::new(text)?)
    })?;
    let count = bytes.count(limits::TOKEN_TYPES_MAX)?;
    let kinds = (0..count)
        .map(|_| Ok(Kind::new(bytes.text(limits::LABEL_BYTES_MAX)?)?))
        .collect::<Result<_, Malformed>>()?;
    Ok(Limits { namespace, kinds })
}

fn read_kind(bytes: &mut Reader<'_>) -> Result<TokenKind, Malformed> {
    Ok(match bytes.u8()? {
        ACCESS => TokenKind::Access,
        API_KEY => TokenKind::ApiKey(ApiKey {
            tag: bytes.array()?,
            last_used_at: bytes.option(read_moment)?,
        }),
        SESSION => TokenKind::Session(LoginSession {
            generation: bytes.u32()?,
            tag: bytes.array()?,
            retry_tag: bytes.option(Reader::array)?,
            peer_uid: bytes.option(Reader::u32)?,
            last_used_at: bytes.option(read_moment)?,
        }),
        _ => return Err(Malformed("a kind of token is unknown")),
    })
}

fn read_scope(bytes: &mut Reader<'_>) -> Result<Scope, Malformed> {
    let unknown = Malformed("a scope is unknown");
    let (resource, action) = (bytes.u8()?, bytes.u8()?);
    Ok(Scope {
        resource: match resource {
            0 => None,
            code => Some(Resource::from_code(code).ok_or(unknown)?),
        },
        action: match action {
            0 => None,
            code => Some(Action::from_code(code).ok_or(unknown)?),
        },
    })
}
