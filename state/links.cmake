target_link_libraries(tidecast_state ${TIDECAST_VISIBILITY} tidecast_core)
find_package(RocksDB REQUIRED)
target_link_libraries(tidecast_state ${TIDECAST_VISIBILITY} RocksDB::rocksdb-shared)
