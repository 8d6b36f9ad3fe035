/* `hypot` and `hypotf`, asked for by their first version.
 *
 * glibc 2.35 gave both a second version, which a program that is linked against 2.35 or later asks for, and
 * which EMR's image (glibc 2.34) does not have. Rust's `asinh` calls them, and DataFusion has it as a function
 * of SQL. What the two versions compute is the same; the first also tells a matherr handler, of which there is
 * none here.
 *
 * Source: the lists of symbols `math/Versions` and `sysdeps/unix/sysv/linux/ARCH/libm.abilist` of glibc. */

#if defined(__x86_64__)
#define FIRST "GLIBC_2.2.5"
#elif defined(__aarch64__)
#define FIRST "GLIBC_2.17"
#else
#error "jobs/build.rs compiles this for x86_64 and aarch64 alone"
#endif

__asm__(".symver first_hypot, hypot@" FIRST);
__asm__(".symver first_hypotf, hypotf@" FIRST);

double first_hypot(double x, double y);
float first_hypotf(float x, float y);

/* Hidden: the program's own code finds these before libm's, and no library that it loads sees them. */
__attribute__((visibility("hidden"))) double hypot(double x, double y) { return first_hypot(x, y); }
__attribute__((visibility("hidden"))) float hypotf(float x, float y) { return first_hypotf(x, y); }
