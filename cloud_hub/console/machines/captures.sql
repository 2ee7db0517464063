-- waveforms
SELECT signal.id FROM signal JOIN machine ON machine.id = signal.machine
 WHERE machine.name = %(machine)s AND signal.kind = 'waveform' LIMIT 1;

-- declared
-- What the newest signal table says of a machine's bearing, and in which unit its speed comes.
SELECT machine.feature_set, told.bearing,
       (SELECT unit FROM signal WHERE signal.machine = machine.id AND name = 'speed' AND kind = 'scalar'
         ORDER BY id DESC LIMIT 1) AS speed_unit
  FROM machine
  LEFT JOIN LATERAL (SELECT body -> 'machines' AS machines FROM signal_table
                      WHERE signal_table.device = machine.device AND machine.id = ANY (signal_table.machines)
                      ORDER BY seen DESC LIMIT 1) AS newest ON true
  LEFT JOIN LATERAL (SELECT element -> 'bearing' AS bearing FROM jsonb_array_elements(newest.machines) AS element
                      WHERE element ->> 'name' = machine.name LIMIT 1) AS told ON true
 WHERE machine.name = %(machine)s;
