//! The attributes of a file (draft-ietf-secsh-filexfer-02, section 5), read and written. All that version 3 has but the
//! extended ones: nobody can say what those do. Never here: who may change which.

use super::read::Reader;
use super::request::Unfit;
use crate::PeerMisbehaved;
use bytes::{BufMut, BytesMut};

const SIZE: u32 = 0x1;
const OWNER: u32 = 0x2;
const PERMISSIONS: u32 = 0x4;
const TIMES: u32 = 0x8;
const EXTENDED: u32 = 0x8000_0000;

/// The bits of the mode that say what kind of thing it is, as POSIX has them.
const KIND_BITS: u32 = 0o170_000;
const LINK: u32 = 0o120_000;

/// Attributes of a file; each may be absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// Its length in bytes.
    pub size: Option<u64>,
    /// Its user and group, by number.
    pub owner: Option<(u32, u32)>,
    /// Its mode as POSIX has it, with the kind of file where the target says it.
    pub permissions: Option<u32>,
    /// When it was last read and last changed: seconds since 1970, UTC.
    pub times: Option<(u32, u32)>,
}

/// Which attributes are set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Which {
    /// The length: truncates or extends.
    pub size: bool,
    /// The user and group.
    pub owner: bool,
    /// The mode.
    pub permissions: bool,
    /// The times.
    pub times: bool,
}

impl Attributes {
    /// Which there are.
    #[must_use]
    pub const fn which(&self) -> Which {
        Which {
            size: self.size.is_some(),
            owner: self.owner.is_some(),
            permissions: self.permissions.is_some(),
            times: self.times.is_some(),
        }
    }

    /// Whether it is a symbolic link; `None` where the attributes do not tell.
    #[must_use]
    pub fn is_link(&self) -> Option<bool> {
        let kind = self.permissions? & KIND_BITS;
        (kind != 0).then_some(kind == LINK)
    }

    pub(super) fn read(r: &mut Reader) -> Result<Result<Self, Unfit>, PeerMisbehaved> {
        let flags = r.u32()?;
        if flags & EXTENDED != 0 {
            return Ok(Err(Unfit::ExtendedAttributes));
        }
        if flags & !(SIZE | OWNER | PERMISSIONS | TIMES) != 0 {
            return Ok(Err(Unfit::AttributeFlags));
        }
        let mut attributes = Self::default();
        if flags & SIZE != 0 {
            attributes.size = Some(r.u64()?);
        }
        if flags & OWNER != 0 {
            attributes.owner = Some((r.u32()?, r.u32()?));
        }
        if flags & PERMISSIONS != 0 {
            attributes.permissions = Some(r.u32()?);
        }
        if flags & TIMES != 0 {
            attributes.times = Some((r.u32()?, r.u32()?));
        }
        Ok(Ok(attributes))
    }

    pub(super) fn write(&self, out: &mut BytesMut) {
        let flag = |there: bool, bit: u32| if there { bit } else { 0 };
        let which = self.which();
        out.put_u32(
            flag(which.size, SIZE)
                | flag(which.owner, OWNER)
                | flag(which.permissions, PERMISSIONS)
                | flag(which.times, TIMES),
        );
        if let Some(size) = self.size {
            out.put_u64(size);
        }
        if let Some((user, group)) = self.owner {
            out.put_u32(user);
            out.put_u32(group);
        }
        if let Some(permissions) = self.permissions {
            out.put_u32(permissions);
        }
        if let Some((read, changed)) = self.times {
            out.put_u32(read);
            out.put_u32(changed);
        }
    }
}
