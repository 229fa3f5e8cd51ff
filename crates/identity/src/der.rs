//! DER (X.690), as far as certificates need it.
//!
//! Lives here: one value after another. Never: what they mean, trust: what is read here is verified elsewhere, or is the
//! operator's own.

/// `BOOLEAN`.
pub(crate) const BOOLEAN: u8 = 0x01;
/// `INTEGER`.
pub(crate) const INTEGER: u8 = 0x02;
/// `BIT STRING`.
pub(crate) const BIT_STRING: u8 = 0x03;
/// `OCTET STRING`.
pub(crate) const OCTET_STRING: u8 = 0x04;
/// `OBJECT IDENTIFIER`.
pub(crate) const OID: u8 = 0x06;
/// `UTCTime`.
pub(crate) const UTC_TIME: u8 = 0x17;
/// `GeneralizedTime`.
pub(crate) const GENERALIZED_TIME: u8 = 0x18;
/// `SEQUENCE`, or `SEQUENCE OF`.
pub(crate) const SEQUENCE: u8 = 0x30;
/// `[0] EXPLICIT`: a certificate's version, which those of version 1 lack.
pub(crate) const EXPLICIT_0: u8 = 0xa0;
/// `[3] EXPLICIT`: a certificate's extensions.
pub(crate) const EXPLICIT_3: u8 = 0xa3;

/// One value of DER.
pub(crate) struct Tlv<'a> {
    pub(crate) tag: u8,
    value: &'a [u8],
    /// With tag and length.
    pub(crate) whole: &'a [u8],
}

impl<'a> Tlv<'a> {
    /// The first value, and what follows it.
    pub(crate) fn read(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (&tag, rest) = bytes.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81..=0x83 => {
                let (digits, rest) = rest.split_at_checked(usize::from(first & 0x0f))?;
                let number = digits
                    .iter()
                    .fold(0, |n: usize, d| (n << 8) | usize::from(*d));
                (number, rest)
            }
            _ => return None,
        };
        let (value, rest) = rest.split_at_checked(length)?;
        let whole = bytes.get(..bytes.len().checked_sub(rest.len())?)?;
        Some((Self { tag, value, whole }, rest))
    }
    /// What it holds, where it is of this tag.
    pub(crate) fn value(&self, tag: u8) -> Option<&'a [u8]> {
        (self.tag == tag).then_some(self.value)
    }
}

/// The values of a sequence, one after another; ends early, with `None`, where something is none.
pub(crate) fn each(mut bytes: &[u8]) -> impl Iterator<Item = Option<Tlv<'_>>> {
    std::iter::from_fn(move || {
        if bytes.is_empty() {
            return None;
        }
        match Tlv::read(bytes) {
            Some((value, rest)) => {
                bytes = rest;
                Some(Some(value))
            }
            None => {
                bytes = &[];
                Some(None)
            }
        }
    })
}
