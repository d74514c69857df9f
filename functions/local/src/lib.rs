//! The whole of gatepost on one machine: the same handlers and the real AWS SDK clients, with every service on loopback.

pub mod api_gateway;
pub mod aws;
pub mod backtest;
pub mod clock;
pub mod commands;
pub mod counters_file;
pub mod front;
pub mod load;
pub mod name_server;
pub mod page;
pub mod running;
pub mod ses;
pub mod settings;
pub mod stack;
