//! Claims: who says to be whom, from the start-up packet until the login is proven or given up.

use crate::clock::Instant;
use crate::roster::Identity;

use super::address::AddressKey;
use super::claim::{Claim, ClaimPart};
use super::records::{Known, Login};
use super::state::State;
use super::want::{Held, Want};

impl State {
    /// Notes a claimed identity; [`Self::drop_claim`] undoes it.
    pub(super) fn add_claim(&mut self, identity: Identity, now: Instant) -> u64 {
        let number = self.next_claim;
        self.next_claim = number.wrapping_add(1);
        let claim = self.resolve(identity, now);
        self.claims.insert(number, claim);
        number
    }

    pub(super) fn drop_claim(&mut self, number: u64) {
        if let Some(claim) = self.claims.remove(&number) {
            // A waiter may go at the moment when its turn comes: then its login comes back after its claim.
            self.unlist_login(number, &claim.parts);
            self.unpin(&claim.parts);
        }
    }

    /// Remembers that the address of a claim has proven to be that client.
    pub(super) fn note_proof(&mut self, number: u64) {
        let Some(claim) = self.claims.get_mut(&number) else { return };
        claim.known = Known::Yes;
        self.proven.note(&claim.base, claim.address);
        for part in &claim.parts {
            self.records.change(part.record, |record| record.proven = true);
        }
    }

    /// Works out anew what applies to everybody who isn't in yet: the configuration has changed.
    pub(super) fn resolve_again(&mut self, now: Instant) {
        let numbers: Vec<u64> = self.claims.keys().copied().collect();
        for number in numbers {
            let Some(old) = self.claims.remove(&number) else { continue };
            let mut claim = self.resolve(old.identity.clone(), now);
            claim.login_since = old.login_since;
            self.unlist_login(number, &old.parts);
            self.unpin(&old.parts);
            self.list_login(number, &claim);
            self.claims.insert(number, claim);
        }
        for record in self.records.iter_mut() {
            (record.waiting, record.proving) = (0, 0);
        }
        let waiting: Vec<Want> = self.queue.wants().cloned().collect();
        for want in &waiting {
            self.count_waiter(want, |count| count.saturating_add(1));
        }
    }

    /// Counts somebody in or out who waits for the places of a client.
    pub(super) fn count_waiter(&mut self, want: &Want, count: impl Fn(usize) -> usize) {
        let (Want::Login(claim) | Want::Client(claim)) = want else { return };
        let Some(claim) = self.claims.get(claim) else { return };
        for part in &claim.parts {
            self.records.change(part.record, |record| {
                record.waiting = count(record.waiting);
                if matches!(want, Want::Client(_)) {
                    record.proving = count(record.proving);
                }
            });
        }
    }

    fn resolve(&mut self, identity: Identity, now: Instant) -> Claim {
        let resolved = self.limits.identities.resolve(&identity);
        let address = AddressKey::new(identity.address);
        let known = if self.proven.knows(&resolved.base, address) { Known::Yes } else { Known::No };
        let pinned = resolved.parts.iter().map(|part| ClaimPart {
            record: self.records.pin(part, now),
            max_connections: part.max_connections,
            rated: part.per_second.is_some(),
        });
        let parts = pinned.collect();
        Claim { identity, label: resolved.label, base: resolved.base, address, known, parts, login_since: None }
    }

    fn unpin(&mut self, parts: &[ClaimPart]) {
        for part in parts {
            self.records.unpin(part.record);
        }
    }

    pub(super) fn begin_login(&mut self, number: u64, now: Instant) -> Held {
        self.logins = self.logins.saturating_add(1);
        let Some(mut claim) = self.claims.remove(&number) else {
            // A claim outlives its login; were it not so, the count would still come back.
            return Held::Login { claim: number, address: AddressKey::new(std::net::IpAddr::from([0, 0, 0, 0])) };
        };
        let address = claim.address;
        self.addresses.change(address, |holding| holding.logins = holding.logins.saturating_add(1));
        claim.login_since = Some(now);
        self.list_login(number, &claim);
        self.claims.insert(number, claim);
        Held::Login { claim: number, address }
    }

    pub(super) fn end_login(&mut self, number: u64) {
        let Some(claim) = self.claims.get_mut(&number) else { return };
        claim.login_since = None;
        let parts = claim.parts.clone();
        self.unlist_login(number, &parts);
    }

    fn list_login(&mut self, number: u64, claim: &Claim) {
        let Some(since) = claim.login_since else { return };
        let login = Login { claim: number, since, known: claim.known == Known::Yes };
        for part in &claim.parts {
            self.records.change(part.record, |record| record.logins.push_back(login));
        }
    }

    fn unlist_login(&mut self, number: u64, parts: &[ClaimPart]) {
        for part in parts {
            self.records.change(part.record, |record| record.logins.retain(|login| login.claim != number));
        }
    }

    pub(super) fn open_client(&mut self, number: u64, now: Instant) -> Held {
        let parts = self.claims.get(&number).map(|claim| claim.parts.clone()).unwrap_or_default();
        for part in &parts {
            self.records.change(part.record, |record| {
                record.open = record.open.saturating_add(1);
                if let Some(rate) = record.rate.as_mut().filter(|_| part.rated) {
                    rate.charge(now);
                }
            });
        }
        Held::Client(parts.iter().map(|part| part.record).collect())
    }
}
