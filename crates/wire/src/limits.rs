//! The named maxima every codec reads by. Numbers only: no behaviour, and no number without a name.

/// The longest statement or portal name that PostgreSQL keeps apart from another.
///
/// Its hash tables compare names by their first `NAMEDATALEN - 1` bytes, so two longer names could be
/// one object at the target and two here.
pub const POSTGRES_NAME_BYTES_MAX: usize = 63;

/// How much of each thing a peer may send before the connection is cut.
///
/// A length is compared with its maximum as soon as it has been announced, before anything is
/// allocated or buffered for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// A packet before the session has begun: start-up, encryption and cancel requests.
    pub startup_bytes_max: usize,
    /// The parameters of one start-up packet.
    pub startup_parameters_max: usize,
    /// Any frame from the client that has no narrower maximum.
    pub frame_bytes_max: usize,
    /// A client frame that carries only names and numbers (Describe, Execute, Close, CopyFail).
    pub small_frame_bytes_max: usize,
    /// One step of an authentication exchange, in either direction.
    pub auth_frame_bytes_max: usize,
    /// The text of one Query or Parse.
    pub statement_bytes_max: usize,
    /// One Bind with its parameters.
    pub bind_bytes_max: usize,
    /// The parameters of one statement.
    pub params_max: usize,
    /// The name of a prepared statement or portal.
    pub name_bytes_max: usize,
    /// One CopyData from the client.
    pub copy_frame_bytes_max: usize,
    /// A frame from the target that carries data, text or a description.
    pub reply_frame_bytes_max: usize,
    /// Any other frame from the target.
    pub reply_small_frame_bytes_max: usize,
    /// The columns of one result.
    pub columns_max: usize,
    /// The messages a target may send before it says that it is ready for the first time.
    pub login_messages_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            startup_bytes_max: 10_000,
            startup_parameters_max: 128,
            frame_bytes_max: 16 << 20,
            small_frame_bytes_max: 10_000,
            auth_frame_bytes_max: 65_535,
            statement_bytes_max: 4 << 20,
            bind_bytes_max: 16 << 20,
            params_max: 65_535,
            name_bytes_max: POSTGRES_NAME_BYTES_MAX,
            copy_frame_bytes_max: 16 << 20,
            reply_frame_bytes_max: 64 << 20,
            reply_small_frame_bytes_max: 30_000,
            columns_max: 1_664,
            login_messages_max: 256,
        }
    }
}
