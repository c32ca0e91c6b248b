//! What providers, programs and people may rely on over HTTP.

mod access;
mod api;
mod hooks;
mod house;
mod pages;
mod serve;
