// Read by jemalloc before main; the environment's MALLOC_CONF goes first. An arena a core: what one arena has freed, another
// one cannot take, so that more of them (four on one core) take fresh pages twice as often.
extern "C" const char* const malloc_conf = "background_thread:true,dirty_decay_ms:1000,muzzy_decay_ms:0,narenas_ratio:1";
