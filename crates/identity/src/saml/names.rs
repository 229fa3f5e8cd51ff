//! The names that SAML and XML Security use.
//!
//! Lives here: namespaces and identifiers, each with nothing but its text. Never: what they mean or which are accepted.

/// Assertions (SAML 2.0 Core).
pub(super) const SAML: &str = "urn:oasis:names:tc:SAML:2.0:assertion";
/// Requests and responses (SAML 2.0 Core).
pub(super) const SAMLP: &str = "urn:oasis:names:tc:SAML:2.0:protocol";
/// Metadata (SAML 2.0 Metadata).
pub(super) const MD: &str = "urn:oasis:names:tc:SAML:2.0:metadata";
/// XML Signature.
pub(super) const DS: &str = "http://www.w3.org/2000/09/xmldsig#";
/// XML Encryption 1.0.
pub(super) const XENC: &str = "http://www.w3.org/2001/04/xmlenc#";
/// XML Encryption 1.1.
pub(super) const XENC11: &str = "http://www.w3.org/2009/xmlenc11#";
/// XML Schema instances (`xsi:type`).
pub(super) const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";
/// Exclusive canonicalisation: the namespace of its one element and its identifier as an algorithm.
pub(super) const EXC_C14N: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
/// What `xml:` means, always.
pub(super) const XML: &str = "http://www.w3.org/XML/1998/namespace";
/// What `xmlns:` means, always.
pub(super) const XMLNS: &str = "http://www.w3.org/2000/xmlns/";

/// The enveloped-signature transform.
pub(super) const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";
pub(super) const SHA1: &str = "http://www.w3.org/2000/09/xmldsig#sha1";
pub(super) const SHA256: &str = "http://www.w3.org/2001/04/xmlenc#sha256";
pub(super) const SHA384: &str = "http://www.w3.org/2001/04/xmldsig-more#sha384";
pub(super) const SHA512: &str = "http://www.w3.org/2001/04/xmlenc#sha512";
pub(super) const RSA_SHA256: &str = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256";
pub(super) const RSA_SHA384: &str = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384";
pub(super) const RSA_SHA512: &str = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512";
pub(super) const ECDSA_SHA256: &str = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256";
pub(super) const ECDSA_SHA384: &str = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384";

/// The type of an encrypted element, as against its content.
pub(super) const XENC_ELEMENT: &str = "http://www.w3.org/2001/04/xmlenc#Element";
pub(super) const AES128_GCM: &str = "http://www.w3.org/2009/xmlenc11#aes128-gcm";
pub(super) const AES256_GCM: &str = "http://www.w3.org/2009/xmlenc11#aes256-gcm";
/// RSA-OAEP whose mask is always made with SHA-1.
pub(super) const RSA_OAEP_MGF1P: &str = "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p";
/// RSA-OAEP that names how its mask is made.
pub(super) const RSA_OAEP: &str = "http://www.w3.org/2009/xmlenc11#rsa-oaep";
pub(super) const MGF1_SHA256: &str = "http://www.w3.org/2009/xmlenc11#mgf1sha256";

pub(super) const HTTP_POST: &str = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST";
pub(super) const HTTP_REDIRECT: &str = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect";
pub(super) const BEARER: &str = "urn:oasis:names:tc:SAML:2.0:cm:bearer";
pub(super) const SUCCESS: &str = "urn:oasis:names:tc:SAML:2.0:status:Success";
/// The format of a name that is an entity's identifier.
pub(super) const ENTITY: &str = "urn:oasis:names:tc:SAML:2.0:nameid-format:entity";
pub(super) const PERSISTENT: &str = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent";
pub(super) const EMAIL_ADDRESS: &str = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress";
pub(super) const UNSPECIFIED: &str = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified";
/// The one namespace that AD FS and Entra ID put a pointer in when a person's groups are too many to list.
pub(super) const GROUPS_LINK: &str = "http://schemas.microsoft.com/claims/groups.link";
