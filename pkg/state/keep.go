package state

import bolt "go.etcd.io/bbolt"

// keptPrefix sets what is kept apart from the store's own keys.
const keptPrefix = "kept "

// Keep stores a few bytes under a name for a later start, in place of those before;
// none forgets them.
func (s *Store) Keep(name string, data []byte) error {
	k := []byte(keptPrefix + name)
	return s.update("keep "+name, func(tx *bolt.Tx, _ *change) error {
		if len(data) == 0 {
			return tx.Bucket(metaBucket).Delete(k)
		}
		return tx.Bucket(metaBucket).Put(k, seal(k, data))
	})
}

// Kept returns what Keep stored under a name, nil if nothing is.
func (s *Store) Kept(name string) (data []byte, err error) {
	k := []byte(keptPrefix + name)
	err = s.view("read "+name, func(tx *bolt.Tx) error {
		value := tx.Bucket(metaBucket).Get(k)
		if value == nil {
			return nil
		}
		found, err := unseal(k, value)
		data = append(data, found...) // nothing points into the file
		return err
	})
	return data, err
}
