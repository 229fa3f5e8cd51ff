//! The named maxima that the SFTP codec and machine go by. Numbers only.

/// The data of one READ or WRITE that OpenSSH's server takes: its packet of 256 KiB less 1 KiB for the rest of the frame.
const WRITE_BYTES_MAX: usize = 255 << 10;

/// How much of each thing a peer may send, and how much is kept of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// One frame in either direction, without its length field.
    pub frame_bytes_max: usize,
    /// A path, as sent and as settled.
    pub path_bytes_max: usize,
    /// A handle of the target's (draft 02, section 6.3).
    pub handle_bytes_max: usize,
    /// The name or the version of one extension.
    pub extension_bytes_max: usize,
    /// Extensions in one INIT or VERSION.
    pub extensions_max: usize,
    /// The text of a STATUS, from the target and to the client.
    pub text_bytes_max: usize,
    /// What one READ may ask for; a longer one is cut down to it.
    pub read_bytes_max: usize,
    /// The data of one WRITE; a longer one fails.
    pub write_bytes_max: usize,
    /// Requests on their way to the target. Beyond it nothing more is decoded from the client.
    pub outstanding_max: usize,
    /// Handles that are open or being opened.
    pub handles_max: usize,
    /// Look-ups to settle one name.
    pub lookups_max: usize,
    /// What waits for the target before nothing more is decoded from the client.
    pub outbox_bytes_max: usize,
    /// What waits for the client before nothing more is decoded from either side.
    pub to_client_bytes_max: usize,
    /// Data of one file that came before its turn and is kept to be hashed.
    pub early_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            frame_bytes_max: (256 << 10) + (1 << 10),
            path_bytes_max: 4_096,
            handle_bytes_max: 256,
            extension_bytes_max: 256,
            extensions_max: 64,
            text_bytes_max: 1_024,
            read_bytes_max: 256 << 10,
            write_bytes_max: WRITE_BYTES_MAX,
            outstanding_max: 256,
            handles_max: 64,
            lookups_max: 64,
            outbox_bytes_max: 1 << 20,
            to_client_bytes_max: 1 << 20,
            early_bytes_max: 1 << 20,
        }
    }
}
