//! What a certificate says of a workload.
//!
//! Lives here: reading one (RFC 5280, section 4.1), and the rules of the X.509-SVID standard for the leaf (sections 2 to 4).
//! Never: whether anybody vouches for it.

use super::id::trust_domain_of;
use super::refusal::Refusal;
use crate::der::{
    BIT_STRING, BOOLEAN, EXPLICIT_0, EXPLICIT_3, GENERALIZED_TIME, INTEGER, OCTET_STRING, OID,
    SEQUENCE, Tlv, UTC_TIME, each,
};
use brattice_core::ids::Digest;
use brattice_core::time::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// `id-ce` (2.5.29), below which the extensions are that are read here.
const ID_CE: [u8; 2] = [0x55, 0x1d];
const KEY_USAGE: u8 = 15;
const SUBJECT_ALT_NAME: u8 = 17;
const BASIC_CONSTRAINTS: u8 = 19;
/// `uniformResourceIdentifier [6]` among the names.
const URI: u8 = 0x86;
const DIGITAL_SIGNATURE: u8 = 0x80;
const KEY_CERT_SIGN: u8 = 0x04;
const CRL_SIGN: u8 = 0x02;

/// A workload as its own certificate names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Leaf {
    /// The SPIFFE ID.
    pub id: String,
    /// Of which trust domain.
    pub trust_domain: String,
    /// From when it is good.
    pub begins_at: Timestamp,
    /// Until when.
    pub ends_at: Timestamp,
    /// Digest of what the authority signed, the name of this certificate. Its signature is no part of that: whoever holds a
    /// certificate can spell one of ECDSA in two ways.
    pub signed: Digest,
}

impl Leaf {
    pub(super) fn read(der: &[u8]) -> Result<Self, Refusal> {
        let fields = Fields::read(der).ok_or(Refusal::NotACertificate)?;
        let names = fields.alt_names.ok_or(Refusal::Names)?;
        let mut uris = Vec::new();
        for name in each(names) {
            let name = name.ok_or(Refusal::NotACertificate)?;
            uris.extend(name.value(URI));
        }
        // More than one, or none, and nobody knows which is meant (section 2).
        let [id] = uris.as_slice() else {
            return Err(Refusal::Names);
        };
        let id = std::str::from_utf8(id).map_err(|_| Refusal::Id)?;
        let trust_domain = trust_domain_of(id).ok_or(Refusal::Id)?;
        if fields.is_authority == Some(true) {
            return Err(Refusal::Authority);
        }
        // Section 4.3.
        let usage = fields.key_usage.ok_or(Refusal::KeyUsage)?;
        if usage & DIGITAL_SIGNATURE == 0 || usage & (KEY_CERT_SIGN | CRL_SIGN) != 0 {
            return Err(Refusal::KeyUsage);
        }
        Ok(Self {
            id: id.to_owned(),
            trust_domain: trust_domain.to_owned(),
            begins_at: fields.begins_at,
            ends_at: fields.ends_at,
            signed: Digest::of(fields.signed),
        })
    }
}

/// When a certificate, of whatever sort, is good; `None` when it cannot be read.
pub(super) fn span_of(der: &[u8]) -> Option<(Timestamp, Timestamp)> {
    Fields::read(der).map(|f| (f.begins_at, f.ends_at))
}

struct Fields<'a> {
    /// What the authority signed.
    signed: &'a [u8],
    begins_at: Timestamp,
    ends_at: Timestamp,
    /// The first octet of the bits.
    key_usage: Option<u8>,
    is_authority: Option<bool>,
    alt_names: Option<&'a [u8]>,
}

impl<'a> Fields<'a> {
    fn read(der: &'a [u8]) -> Option<Self> {
        let (outer, rest) = Tlv::read(der)?;
        let (tbs, _) = Tlv::read(outer.value(SEQUENCE).filter(|_| rest.is_empty())?)?;
        let mut fields = each(tbs.value(SEQUENCE)?);
        let mut next = |tag| fields.next()??.value(tag);
        // Extensions are of version 3.
        let version = whole(next(EXPLICIT_0)?, INTEGER)?;
        if version != [2] {
            return None;
        }
        // Serial number, signature, issuer.
        next(INTEGER)?;
        next(SEQUENCE)?;
        next(SEQUENCE)?;
        let mut times = each(next(SEQUENCE)?);
        let (begins_at, ends_at) = (time(times.next()??)?, time(times.next()??)?);
        // Subject, key.
        next(SEQUENCE)?;
        next(SEQUENCE)?;
        let mut found = Self {
            signed: tbs.whole,
            begins_at,
            ends_at,
            key_usage: None,
            is_authority: None,
            alt_names: None,
        };
        for field in fields {
            let field = field?;
            if let Some(extensions) = field.value(EXPLICIT_3) {
                for extension in each(whole(extensions, SEQUENCE)?) {
                    found.take(extension?.value(SEQUENCE)?)?;
                }
            }
        }
        Some(found)
    }

    /// One extension; the second of a sort makes the whole certificate unreadable.
    fn take(&mut self, extension: &'a [u8]) -> Option<()> {
        let mut parts = each(extension);
        let name = parts.next()??.value(OID)?;
        let mut value = parts.next()??;
        if value.tag == BOOLEAN {
            value = parts.next()??;
        }
        let value = value.value(OCTET_STRING)?;
        if parts.next().is_some() {
            return None;
        }
        let Some(&[number]) = name.strip_prefix(&ID_CE) else {
            return Some(());
        };
        let first = match number {
            KEY_USAGE => {
                let bits = whole(value, BIT_STRING)?;
                self.key_usage.replace(*bits.get(1)?).is_none()
            }
            SUBJECT_ALT_NAME => self.alt_names.replace(whole(value, SEQUENCE)?).is_none(),
            BASIC_CONSTRAINTS => {
                let mut parts = each(whole(value, SEQUENCE)?);
                let says = match parts.next() {
                    None => None,
                    Some(value) => value?.value(BOOLEAN),
                };
                let known = self.is_authority.replace(says.is_some_and(|b| b != [0]));
                known.is_none()
            }
            _ => true,
        };
        first.then_some(())
    }
}

/// The one value that these bytes are.
fn whole(bytes: &[u8], tag: u8) -> Option<&[u8]> {
    let (value, rest) = Tlv::read(bytes)?;
    value.value(tag).filter(|_| rest.is_empty())
}

/// `UTCTime` or `GeneralizedTime`, as RFC 5280, section 4.1.2.5, wants them written.
fn time(value: Tlv<'_>) -> Option<Timestamp> {
    let text = |tag| std::str::from_utf8(value.value(tag)?).ok();
    let (year, rest) = match (text(UTC_TIME), text(GENERALIZED_TIME)) {
        (Some(short), _) => {
            let (year, rest) = short.split_at_checked(2)?;
            let year: i16 = number(year)?;
            (if year < 50 { 2000 + year } else { 1900 + year }, rest)
        }
        (None, Some(long)) => {
            let (year, rest) = long.split_at_checked(4)?;
            (number(year)?, rest)
        }
        (None, None) => return None,
    };
    let digits = rest.strip_suffix('Z').filter(|d| d.len() == 10)?;
    let part = |at: usize| -> Option<i8> { i8::try_from(number(digits.get(at..at + 2)?)?).ok() };
    let at = DateTime::new(year, part(0)?, part(2)?, part(4)?, part(6)?, part(8)?, 0).ok()?;
    let at = at.to_zoned(TimeZone::UTC).ok()?;
    Some(Timestamp::from_seconds(at.timestamp().as_second()))
}

fn number(digits: &str) -> Option<i16> {
    digits
        .bytes()
        .all(|b| b.is_ascii_digit())
        .then(|| digits.parse().ok())?
}
