//! The types whose values we can make.
//!
//! Lives here: OIDs of `pg_type.dat` and what they mean for a mask. Never: the values.

/// How a cell is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// Format code 0.
    Text,
    /// Format code 1.
    Binary,
}

/// A cell's type as RowDescription has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ValueType {
    /// `pg_type.oid`; 0 when not known.
    pub oid: u32,
    /// `atttypmod`; -1 when there is none.
    pub modifier: i32,
    /// The encoding.
    pub format: Format,
}

impl ValueType {
    /// A value of unknown type, in text.
    pub const TEXT: ValueType = ValueType {
        oid: 0,
        modifier: -1,
        format: Format::Text,
    };
}

/// What a type is to a mask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// text, unknown, xml, cstring, refcursor: any characters in both formats.
    Text,
    /// varchar(n).
    Varchar,
    /// char(n).
    Bpchar,
    /// name: 63 bytes.
    Name,
    /// "char".
    Char,
    Json,
    Jsonb,
    Bool,
    Bytea,
    Int2,
    Int4,
    Int8,
    /// oid and its like: four bytes, unsigned.
    Oid,
    Float4,
    Float8,
    Numeric,
    Money,
    Date,
    Time,
    TimeTz,
    Timestamp,
    TimestampTz,
    Interval,
    Uuid,
    Inet,
    Cidr,
    MacAddr,
    MacAddr8,
    Bit,
    Varbit,
    TsVector,
    Lsn,
    Point,
    Range,
    Multirange,
    /// An array; its element's OID.
    Array(u32),
    /// Some other type.
    Unknown,
}

pub(crate) fn kind(oid: u32) -> Kind {
    match oid {
        25 | 142 | 705 | 1790 | 2275 => Kind::Text,
        1043 => Kind::Varchar,
        1042 => Kind::Bpchar,
        19 => Kind::Name,
        18 => Kind::Char,
        114 => Kind::Json,
        3802 => Kind::Jsonb,
        16 => Kind::Bool,
        17 => Kind::Bytea,
        21 => Kind::Int2,
        23 => Kind::Int4,
        20 | 5069 => Kind::Int8,
        26 | 28 | 29 => Kind::Oid,
        700 => Kind::Float4,
        701 => Kind::Float8,
        1700 => Kind::Numeric,
        790 => Kind::Money,
        1082 => Kind::Date,
        1083 => Kind::Time,
        1266 => Kind::TimeTz,
        1114 => Kind::Timestamp,
        1184 => Kind::TimestampTz,
        1186 => Kind::Interval,
        2950 => Kind::Uuid,
        869 => Kind::Inet,
        650 => Kind::Cidr,
        829 => Kind::MacAddr,
        774 => Kind::MacAddr8,
        1560 => Kind::Bit,
        1562 => Kind::Varbit,
        3614 => Kind::TsVector,
        3220 => Kind::Lsn,
        600 => Kind::Point,
        3904 | 3906 | 3908 | 3910 | 3912 | 3926 => Kind::Range,
        4451 | 4532 | 4533 | 4534 | 4535 | 4536 => Kind::Multirange,
        _ => match element(oid) {
            Some(e) => Kind::Array(e),
            None => Kind::Unknown,
        },
    }
}

/// The element type of a built-in array type.
fn element(oid: u32) -> Option<u32> {
    Some(match oid {
        1000 => 16,
        1001 => 17,
        1002 => 18,
        1003 => 19,
        1005 => 21,
        1007 => 23,
        1009 => 25,
        1014 => 1042,
        1015 => 1043,
        1016 => 20,
        1021 => 700,
        1022 => 701,
        1028 => 26,
        1040 => 829,
        1041 => 869,
        651 => 650,
        1115 => 1114,
        1182 => 1082,
        1183 => 1083,
        1185 => 1184,
        1187 => 1186,
        1231 => 1700,
        1270 => 1266,
        143 => 142,
        199 => 114,
        3807 => 3802,
        2951 => 2950,
        791 => 790,
        1561 => 1560,
        1563 => 1562,
        1263 => 2275,
        3643 => 3614,
        _ => return None,
    })
}

impl Kind {
    /// Values are plain characters in both formats.
    pub(crate) fn is_text(self) -> bool {
        matches!(self, Kind::Text | Kind::Varchar | Kind::Bpchar | Kind::Name)
    }

    /// No detector can find anything in its text form: it is too short, or made of fixed fields.
    pub(crate) fn is_mute(self) -> bool {
        matches!(
            self,
            Kind::Char
                | Kind::Bool
                | Kind::Int2
                | Kind::Int4
                | Kind::Oid
                | Kind::Float4
                | Kind::Date
                | Kind::Time
                | Kind::TimeTz
                | Kind::Timestamp
                | Kind::TimestampTz
                | Kind::Interval
                | Kind::Uuid
                | Kind::MacAddr
                | Kind::MacAddr8
                | Kind::Lsn
                | Kind::Point
        )
    }
}
