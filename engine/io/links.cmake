pkg_check_modules(RDKAFKA REQUIRED IMPORTED_TARGET rdkafka)
find_library(LIBICAL_LIBRARY ical REQUIRED)
find_package(simdjson REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(ZLIB REQUIRED)
find_package(date REQUIRED)
target_link_libraries(tidecast_io ${TIDECAST_VISIBILITY} tidecast_core tidecast_state PkgConfig::RDKAFKA simdjson::simdjson
  nlohmann_json::nlohmann_json ZLIB::ZLIB date::date date::date-tz
  ${LIBICAL_LIBRARY})
