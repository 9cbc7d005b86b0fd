target_link_libraries(tidecast_models ${TIDECAST_VISIBILITY} tidecast_core ${CMAKE_DL_LIBS})
