//! Tables that are large in number, for the tests and the benchmarks of what must not grow with it:
//! [`many_files`] has many data files, [`daily`] has lived for years.

pub mod daily;
pub mod many_files;
