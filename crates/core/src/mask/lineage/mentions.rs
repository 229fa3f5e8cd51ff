//! Whether a tree so much as contains the name of a relation with masked columns.
//!
//! Lives here: the net under everything that the walk does not know. Never: scopes or meaning.

use crate::mask::columns::MaskedColumns;
use prost::Message;

/// The name of a masked relation stands anywhere in the tree: as an identifier, in a literal, in a function's body.
/// Too many hits are refusals; too few would be leaks, so the encoded tree itself is searched.
pub(super) fn any<M: Message>(tree: &M, masked: &MaskedColumns) -> bool {
    !masked.is_empty() && masked.named_in(&tree.encode_to_vec())
}
