// Read by jemalloc before main; the environment's MALLOC_CONF goes first.
extern "C" const char* const malloc_conf = "background_thread:true,dirty_decay_ms:1000,muzzy_decay_ms:0,narenas:4";
