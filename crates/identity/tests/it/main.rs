//! Proof of identity from outside: a real provider on loopback, real HTTP, a clock that the tests step.

#[cfg(test)]
mod addressed;
#[cfg(test)]
mod bound;
#[cfg(test)]
mod certified;
mod config;
#[cfg(test)]
mod forged;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod leaks;
#[cfg(test)]
mod minted;
#[cfg(test)]
mod people;
#[cfg(test)]
mod repeated;
#[cfg(test)]
mod saml;
#[cfg(test)]
mod support;
#[cfg(test)]
mod times;
#[cfg(test)]
mod transport;
