//! Floodwall between real clients and a real server. Each test starts what it needs on free ports.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail")]
#![allow(clippy::disallowed_methods, reason = "live tests run on the machine's clock")]

#[path = "../fuzz/seed.rs"]
#[allow(dead_code, clippy::print_stdout, reason = "shared with the tests on random input")]
mod seed;
#[path = "../support/mod.rs"]
mod support;

mod alike;
mod behaviour;
mod bounds;
mod break_glass;
mod budget;
mod cancel;
mod caps;
mod catalog;
mod copy;
mod crowds;
mod databases;
mod drivers;
mod dump;
mod ends;
mod entry;
mod executed;
mod exporters;
mod extended;
mod giants;
mod handover;
mod harness;
mod imported;
mod leaks;
mod logins;
mod mariadb;
mod newer;
mod nodes;
mod notify;
mod operate;
mod operate_pools;
mod pgbench;
mod pki;
mod places;
mod pool_bounds;
mod pool_modes;
mod pooling;
mod prepared;
mod psql;
mod remade;
mod replication;
mod report;
mod resets;
mod rules;
mod startup;
mod state;
mod systemd;
mod taken_back;
mod timeouts;
mod tls;
mod tls_entry;
mod tls_logins;
mod too_late;
mod traffic;
mod transactions;
mod trust;
mod vacated;
mod values;
mod volume;
