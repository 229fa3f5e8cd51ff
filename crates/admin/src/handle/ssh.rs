//! SSH: certifying a key, and what may be reached.

use super::credentials::{bounds_of, lifetime_of, not_minted};
use crate::body::{CertificateBody, CertificateRequest, SshBody};
use crate::call::{Call, Reply};
use crate::ports::{Act, Certify};
use crate::problem::Problem;
use axum::http::StatusCode;
use brattice_core::ports::BoxFuture;

pub(crate) fn certify(call: &Call) -> BoxFuture<'_, Result<Reply, Problem>> {
    Box::pin(async move {
        let request: CertificateRequest = call.json()?;
        let lifetime = lifetime_of(call, request.ttl_seconds)?;
        let ssh = &call.admin.ports.ssh;
        let fingerprint = ssh
            .fingerprint(&request.public_key)
            .map_err(|why| Problem::invalid(format!("`public_key`: {why}.")))?;
        let (bounds, bound) = bounds_of(request.single_use, &request.from)?;
        let details = format!(
            "certificate of {fingerprint} for {} s{bound}",
            request.ttl_seconds
        );
        let permit = call.must(&Act::Connect(&request.target), &details).await?;
        let asked = Certify {
            target: request.target,
            public_key: request.public_key,
            lifetime,
            bounds,
        };
        let certified = ssh.certify(call.who()?, asked).await.map_err(not_minted)?;
        let body = CertificateBody::from(&certified);
        Reply::json(&permit, StatusCode::CREATED, &body)
    })
}

pub(crate) fn reach(call: &Call) -> BoxFuture<'_, Result<Reply, Problem>> {
    Box::pin(async move {
        let permit = call.anyone()?;
        let front = call.admin.ports.ssh.front();
        let front = front.ok_or_else(|| Problem::not_found("SSH listener"))?;
        let body = SshBody::of(&front, |t| call.may(&Act::Connect(&t.name)).is_ok());
        Reply::json(&permit, StatusCode::OK, &body)
    })
}
